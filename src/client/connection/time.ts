/** Time as the client needs it, given from outside so that tests can hold it in their hands. */
export interface ClientTime {
  /** Microseconds since the Unix epoch. */
  micros(): number;
  /** Milliseconds since some start, never going back. */
  millis(): number;
  /** Calls `action` once after so many milliseconds, unless the function returned is called before. */
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
