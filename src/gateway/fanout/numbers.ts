/**
 * The numbers of many objects, those of each object side by side. V8 stores a field that is not a small integer in a
 * separate heap object, anywhere in memory; a flush of one of thousands of connections would mostly wait for these.
 */
import { copied } from "../../base/enlarged_array.ts";

const FIRST_OBJECTS = 16;

export class Numbers {
  /** All numbers. Replaced when there are more objects: read it from here at each use. */
  f64: Float64Array;
  readonly #size: number;
  /** The positions that were given back. */
  readonly #free: number[] = [];
  /** The first position that was never in use. */
  #end = 0;

  /** @param size how many numbers an object has */
  constructor(size: number) {
    this.#size = size;
    this.f64 = new Float64Array(size * FIRST_OBJECTS);
  }

  /** @returns the position of the numbers of one more object; all are 0 */
  take(): number {
    const at = this.#free.pop() ?? this.#append();
    this.f64.fill(0, at, at + this.#size);
    return at;
  }

  /** Gives an object's numbers back. @param at their position */
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
