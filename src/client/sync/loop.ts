/** One loop over a subscription. It keeps the quotes that have changed since the last iteration, one per symbol. */
import type { Quote } from "../quotes/quote.ts";

type Result = IteratorResult<Quote, undefined>;
const END: Result = { done: true, value: undefined };

export class Loop implements AsyncIterator<Quote, undefined> {
  /** The changed quotes, by symbol. */
  readonly #ready = new Map<string, Quote>();
  readonly #onLeft: () => void;
  /** Calls of `next` that wait for a quote: at most one, unless the user calls `next` directly. */
  readonly #waiting: [resolve: (waiting: Result) => void, reject: (error: Error) => void][] = [];
  #hasEnded = false;
  #error: Error | undefined;

  /** @param left is called when the user leaves the loop */
  constructor(left: () => void) {
    this.#onLeft = left;
  }

  push(quote: Quote): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting[0]({ done: false, value: quote });
    else this.#ready.set(quote.symbol, quote);
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
    for (const waiting of this.#waiting.splice(0)) this.#conclude(...waiting);
  }

  next(): Promise<Result> {
    for (const [symbol, value] of this.#ready) {
      this.#ready.delete(symbol);
      return Promise.resolve({ done: false, value });
    }
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) this.#conclude(resolve, reject);
      else this.#waiting.push([resolve, reject]);
    });
  }

  async return(): Promise<Result> {
    this.end();
    this.#onLeft();
    return END;
  }

  /** Only the first call gets the error. */
  #conclude(resolve: (waiting: Result) => void, reject: (error: Error) => void): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) reject(error);
    else resolve(END);
  }
}
