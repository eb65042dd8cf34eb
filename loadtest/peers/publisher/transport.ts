/** How a publisher sends ticks to a peer. Each implementation has a file here. */

/** Receives the ticks of the simulated market. */
export interface Transport {
  /**
   * A tick.
   * @param number the symbol's, from 0
   * @param eventTime microseconds since the Unix epoch
   * @param values in the order of `FIELDS`, NaN where unknown; reused after the call
   */
  tick(symbol: string, number: number, seq: number, eventTime: number, values: Float64Array): void;
  /** Called after the last tick of a market step. */
  flush(): void;
}
