/** Writes the same ticks to several feeds, so that the last published values are known. */
import type { Writable } from "node:stream";

/** The interval of writes, in milliseconds. */
const PERIOD = 10;

export class TickWriter {
  readonly symbols: readonly string[];
  /** The last written values of each symbol, in the order of {@link FIELDS}. */
  readonly last = new Map<string, number[]>();
  /** The age of ticks by their event time when they are written, in milliseconds. */
  age = 0;
  readonly #inputs: () => readonly Writable[];
  readonly #perPeriod: number;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #carry = 0;

  /** The fields that are written. */
  static readonly FIELDS = ["bid", "ask", "last"] as const;

  /**
   * @param inputs the present inputs
   * @param rate ticks per second, of all symbols in turn
   */
  constructor(inputs: () => readonly Writable[], symbols: readonly string[], rate: number) {
    this.#inputs = inputs;
    this.symbols = symbols;
    this.#perPeriod = (rate * PERIOD) / 1_000;
  }

  /** The bid of the next tick of any symbol: each is higher than the previous one. */
  get price(): number {
    return Math.round(10_000 + this.#next) / 100;
  }

  start(): void {
    this.#timer = setInterval(() => this.#turn(), PERIOD);
  }

  /** Stops writing. */
  rest(): void {
    clearInterval(this.#timer);
  }

  /** Writes one tick of these symbols. */
  tick(symbols: readonly string[]): void {
    const time = Math.round((performance.timeOrigin + performance.now() - this.age) * 1_000);
    let lines = "";
    for (const symbol of symbols) {
      const { price } = this;
      this.#next++;
      const values = [price, price + 0.02, price + 0.01].map((value) => Math.round(value * 100) / 100);
      const fields = Object.fromEntries(TickWriter.FIELDS.map((name, index) => [name, values[index]]));
      this.last.set(symbol, values);
      lines += `${JSON.stringify({ symbol, time, ...fields })}\n`;
    }
    for (const input of this.#inputs()) input.write(lines);
  }

  #turn(): void {
    this.#carry += this.#perPeriod;
    const count = Math.floor(this.#carry);
    this.#carry -= count;
    const from = this.#next;
    this.tick(Array.from({ length: count }, (_, index) => this.symbols[(from + index) % this.symbols.length]));
  }
}
