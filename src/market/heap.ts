/**
 * Memory that WebAssembly can access: the columns of a market table that a flush reads, encoded ticks, the entries of
 * subscriptions, and the current frame. The innermost loop of the gateway (changed.wat) works on it. It is five times
 * as fast as in JavaScript, where the call that copies one tick costs more than the copy.
 *
 * Typed arrays and buffers on it are replaced when it grows: read them from here at each use, and keep addresses.
 */
import { readFileSync } from "node:fs";
import type { Target } from "../msgpack/msgpack.ts";

/** The smallest block, in bytes, and the alignment of all: a cache line. */
const MIN_BLOCK = 64;
const PAGE = 65_536;
const FIRST_PAGES = 16;
/** WebAssembly can address 4 GB. */
const MAX_PAGES = 65_536;
export const MAX_HEAP_BYTES = MAX_PAGES * PAGE;

/** @see changed.wat */
export type CopyChanged = (
  from: number,
  end: number,
  entries: number,
  marks: number,
  version: number,
  slots: number,
  slotBytes: number,
  tickBytes: number,
  at: number,
  limit: number,
  noted: number,
  result: number,
) => number;

/** There is no memory left: 4 GB are in use, or the system has no more. */
export class HeapFull extends RangeError {
  override name = "HeapFull";
}

const MODULE = new WebAssembly.Module(readFileSync(new URL("changed.wasm", import.meta.url)));

export class Heap implements Target {
  bytes!: Buffer;
  view!: DataView;
  f64!: Float64Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  u16!: Uint16Array;
  readonly copyChanged: CopyChanged;
  readonly #memory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum: MAX_PAGES });
  /** Addresses of free blocks, by size. */
  readonly #free = new Map<number, number[]>();
  readonly #growing: (() => void)[] = [];
  /** The end of all blocks so far. No block has the address 0. */
  #end = MIN_BLOCK;

  constructor() {
    const instance = new WebAssembly.Instance(MODULE, { heap: { memory: this.#memory } });
    this.copyChanged = instance.exports.copy as CopyChanged;
    this.#createViews();
  }

  /** Reserved bytes. */
  get size(): number {
    return this.bytes.length;
  }

  /**
   * A block of zeros.
   * @returns its address, a multiple of 64
   * @throws HeapFull
   */
  alloc(bytes: number): number {
    const size = sizeOf(bytes);
    const reused = this.#free.get(size)?.pop();
    if (reused !== undefined) {
      this.bytes.fill(0, reused, reused + size);
      return reused;
    }
    const address = this.#end;
    if (address + size > this.bytes.length) this.#grow(address + size);
    this.#end = address + size;
    return address;
  }

  /** Frees a block. @param bytes its size, as in {@link alloc} */
  free(address: number, bytes: number): void {
    const size = sizeOf(bytes);
    const free = this.#free.get(size);
    if (free) free.push(address);
    else this.#free.set(size, [address]);
  }

  /**
   * Replaces a block by one of another size with the same content; allocates one for the address 0.
   * @throws HeapFull; the block is unchanged then
   */
  resize(address: number, bytes: number, wanted: number): number {
    if (address === 0) return this.alloc(wanted);
    if (sizeOf(bytes) === sizeOf(wanted)) return address;
    const moved = this.alloc(wanted);
    this.bytes.copyWithin(moved, address, address + Math.min(bytes, wanted));
    this.free(address, bytes);
    return moved;
  }

  /** Registers a callback for when the arrays have been replaced. */
  onGrow(grown: () => void): void {
    this.#growing.push(grown);
  }

  #grow(end: number): void {
    // By half, since each time all arrays are replaced.
    const wanted = Math.max(end, Math.min(this.bytes.length * 1.5, MAX_PAGES * PAGE));
    try {
      this.#memory.grow(Math.ceil((wanted - this.bytes.length) / PAGE));
    } catch (error) {
      throw new HeapFull(`no ${end} bytes of memory can be had`, { cause: error });
    }
    this.#createViews();
    for (const grown of this.#growing) grown();
  }

  #createViews(): void {
    const { buffer } = this.#memory;
    this.bytes = Buffer.from(buffer);
    this.view = new DataView(buffer);
    this.f64 = new Float64Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u16 = new Uint16Array(buffer);
  }
}

/** The size class of a block: four per power of two, so that at most a quarter of a large block is unused. */
function sizeOf(bytes: number): number {
  const step = Math.max(MIN_BLOCK, 2 ** (Math.floor(Math.log2(bytes)) - 2));
  return Math.max(1, Math.ceil(bytes / step)) * step;
}
