/** How a publisher's ticks leave for a peer. One file a way beside this one. */

/** Takes the ticks of the simulated market. */
export interface Transport {
  /**
   * A tick.
   * @param number the symbol's, from 0
   * @param eventTime microseconds since the Unix epoch
   * @param values in the order of `FIELDS`, NaN where not known; reused when the call has returned
   */
  tick(symbol: string, number: number, seq: number, eventTime: number, values: Float64Array): void;
  /** The turn's ticks have all been given. */
  flush(): void;
}
