/** What the writer of one feed has done, for the metrics. */
export class WriterCounts {
  /** Batches written, with heartbeats. */
  batches = 0;
  records = 0;
  heartbeats = 0;
  bytes = 0;
  /** Writes that failed; their rows are written again. */
  failures = 0;
  /** How often Redis had lost acknowledged writes, and all rows were written again. */
  healed = 0;
  /** How often another publisher took over the lead. */
  deposed = 0;
}
