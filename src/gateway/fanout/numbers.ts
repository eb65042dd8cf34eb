/**
 * The numbers of many objects, those of each side by side. As fields, numbers that are no small integers are boxes of
 * their own, anywhere in memory; a turn of one of thousands of connections would mostly wait for them (docs/benchmarks.md).
 */
import { copied } from "../../base/copied.ts";

const FIRST_OBJECTS = 16;

export class Numbers {
  /** All of them. Replaced when there are more: read it from here at each use. */
  f64: Float64Array;
  readonly #size: number;
  /** Where those are that were given back. */
  readonly #free: number[] = [];
  /** Where what was never in use begins. */
  #end = 0;

  /** @param size how many numbers an object has */
  constructor(size: number) {
    this.#size = size;
    this.f64 = new Float64Array(size * FIRST_OBJECTS);
  }

  /** @returns where the numbers of one more object begin; all are 0 */
  take(): number {
    const at = this.#free.pop() ?? this.#append();
    this.f64.fill(0, at, at + this.#size);
    return at;
  }

  /** They are not used any more. @param at where they begin */
  give(at: number): void {
    this.#free.push(at);
  }

  #append(): number {
    const at = this.#end;
    this.#end += this.#size;
    if (this.#end > this.f64.length) this.f64 = copied(new Float64Array(this.f64.length * 2), this.f64);
    return at;
  }
}
