/** One loop over a subscription: what has changed since its last round, a place for each symbol. */
import type { Quote } from "../quotes/quote.ts";

type Round = IteratorResult<Quote, undefined>;
const END: Round = { done: true, value: undefined };

export class Loop implements AsyncIterator<Quote, undefined> {
  /** By symbol. */
  readonly #ready = new Map<string, Quote>();
  readonly #left: () => void;
  /** Rounds that wait for a quote: one, but for who calls `next` by hand. */
  readonly #rounds: [resolve: (round: Round) => void, reject: (error: Error) => void][] = [];
  #hasEnded = false;
  #error: Error | undefined;

  /** @param left is called when the loop has been left */
  constructor(left: () => void) {
    this.#left = left;
  }

  push(quote: Quote): void {
    const round = this.#rounds.shift();
    if (round) round[0]({ done: false, value: quote });
    else this.#ready.set(quote.symbol, quote);
  }

  /** The symbol is not covered any more. */
  drop(symbol: string): void {
    this.#ready.delete(symbol);
  }

  /** @param error what it ends with, where it is no ordinary end */
  end(error?: Error): void {
    this.#hasEnded = true;
    this.#error = error;
    this.#ready.clear();
    for (const round of this.#rounds.splice(0)) this.#conclude(...round);
  }

  next(): Promise<Round> {
    for (const [symbol, value] of this.#ready) {
      this.#ready.delete(symbol);
      return Promise.resolve({ done: false, value });
    }
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) this.#conclude(resolve, reject);
      else this.#rounds.push([resolve, reject]);
    });
  }

  async return(): Promise<Round> {
    this.end();
    this.#left();
    return END;
  }

  /** The error is told once. */
  #conclude(resolve: (round: Round) => void, reject: (error: Error) => void): void {
    const error = this.#error;
    this.#error = undefined;
    if (error) reject(error);
    else resolve(END);
  }
}
