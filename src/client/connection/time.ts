/** The clocks and timers of the client. An option, so that tests can control time. */
export interface ClientTime {
  /** Microseconds since the Unix epoch. */
  micros(): number;
  /** Milliseconds since some start, never going back. */
  millis(): number;
  /** Calls `action` once after this time, ms, unless the returned function is called before. */
  after(millis: number, action: () => void): () => void;
}

/** The machine's time. */
export const SYSTEM_TIME: ClientTime = {
  micros: () => Date.now() * 1_000,
  millis: () => performance.now(),
  after(millis, action) {
    const timer = setTimeout(action, millis);
    return () => clearTimeout(timer);
  },
};
