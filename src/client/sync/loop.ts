/** One loop over a subscription. It keeps the views that have changed since the last iteration, one per symbol. */
import type { AttachedView } from "../records/tick_record.ts";

type Result = IteratorResult<AttachedView, undefined>;
const END: Result = { done: true, value: undefined };

export class Loop implements AsyncIterator<AttachedView, undefined> {
  /** The changed views, by symbol. */
  readonly #ready = new Map<string, AttachedView>();
  readonly #onLeft: () => void;
  /** Resumes the calls of `next` that wait: at most one, unless the user calls `next` directly. */
  readonly #waiting: (() => void)[] = [];
  #hasEnded = false;
  #error: Error | undefined;

  /** @param left is called when the user leaves the loop */
  constructor(left: () => void) {
    this.#onLeft = left;
  }

  push(view: AttachedView): void {
    this.#ready.set(view.symbol, view);
    this.#resume();
  }

  /** The symbol is not covered any more. */
  drop(symbol: string): void {
    this.#ready.delete(symbol);
  }

  /** @param error the error that the loop throws; none for an ordinary end */
  end(error?: Error): void {
    this.#hasEnded = true;
    this.#error = error;
    this.#ready.clear();
    this.#resume();
  }

  async next(): Promise<Result> {
    for (;;) {
      for (const [symbol, value] of this.#ready) {
        this.#ready.delete(symbol);
        return { done: false, value };
      }
      if (this.#hasEnded) {
        const error = this.#error;
        // Only the first call gets the error.
        this.#error = undefined;
        if (error) throw error;
        return END;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async return(): Promise<Result> {
    this.end();
    this.#onLeft();
    return END;
  }

  #resume(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
