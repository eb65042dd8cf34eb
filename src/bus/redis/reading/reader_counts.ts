import { MalformedCounts } from "../../wire/malformed.ts";

/** What all shards of a gateway have heard, for the metrics. */
export class ReaderCounts {
  batches = 0;
  records = 0;
  bytes = 0;
  /** Batches that were there twice, late, or of a leader that has been replaced. */
  ignored = 0;
  /** Times that batches were missing. */
  gaps = 0;
  /** What was left out since it is not as docs/bus.md says. */
  readonly malformed = new MalformedCounts();
  /** Times that a shard was read from the last-value store. */
  reads = 0;
  /** Batches of a publisher with another number of shards. */
  mismatched = 0;
}
