/** The memory of a subscription's entries: a block in the heap that grows and shrinks with their number. */
import type { Heap } from "../../market/heap.ts";
import { HeapFull } from "../../market/heap.ts";
import { ENTRY_BYTES } from "../../market/heap_layout.ts";
import type { Entries } from "../../market/row_encoder.ts";

const FIRST_CAPACITY = 16;

export class EntryBlock implements Entries {
  /** The address of the first entry. */
  entries = 0;
  readonly #heap: Heap;
  #capacity = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /**
   * Makes room for so many more.
   * @param count how many there are
   * @returns whether there is room
   */
  reserve(count: number, more: number): boolean {
    const needed = count + more;
    if (needed <= this.#capacity) return true;
    try {
      // Half as much again, so that one that grows step by step is not moved each time.
      this.#resize(count, Math.max(FIRST_CAPACITY, needed, Math.ceil(count * 1.5)));
      return true;
    } catch (error) {
      if (error instanceof HeapFull) return false;
      throw error;
    }
  }

  /** Gives back what so few do not need. */
  shrink(count: number): void {
    if (count >= this.#capacity / 4 || this.#capacity <= FIRST_CAPACITY) return;
    try {
      this.#resize(count, Math.ceil(this.#capacity / 2));
    } catch (error) {
      // The present block is larger than needed: it can be kept.
      if (!(error instanceof HeapFull)) throw error;
    }
  }

  free(): void {
    if (this.#capacity === 0) return;
    this.#heap.free(this.entries, this.#capacity * ENTRY_BYTES);
    this.#capacity = 0;
  }

  /** @throws HeapFull, and it is as it was */
  #resize(count: number, capacity: number): void {
    const heap = this.#heap;
    const entries = heap.alloc(capacity * ENTRY_BYTES);
    heap.bytes.copyWithin(entries, this.entries, this.entries + count * ENTRY_BYTES);
    this.free();
    this.entries = entries;
    this.#capacity = capacity;
  }
}
