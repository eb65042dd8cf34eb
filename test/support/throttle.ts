/**
 * A process that gets only a part of the CPU, as in a container with a low limit: it runs for its share of each period,
 * and is stopped for the rest.
 */
export class Throttle {
  readonly #pid: number;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param run how long it runs in each period, ms
   * @param stand how long it is stopped, ms
   */
  constructor(pid: number, run: number, stand: number) {
    this.#pid = pid;
    const stop = () => {
      this.#signal("SIGSTOP");
      this.#timer = setTimeout(go, stand);
    };
    const go = () => {
      this.#signal("SIGCONT");
      this.#timer = setTimeout(stop, run);
    };
    stop();
  }

  /** Ends the limit. */
  end(): void {
    clearTimeout(this.#timer);
    this.#signal("SIGCONT");
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.#pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
