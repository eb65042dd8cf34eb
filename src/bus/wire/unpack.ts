/**
 * Reads MessagePack step by step, without building what is read. Everything is checked: the bytes come from another
 * process, which may be broken or of another version.
 */

import type { MalformedReason } from "./malformed.ts";

/** The bytes are not what they should be. Counted and skipped, never fatal. */
export class WireError extends Error {
  override name = "WireError";
  readonly reason: MalformedReason;

  constructor(message: string, reason: MalformedReason = "format") {
    super(message);
    this.reason = reason;
  }
}

const TWO_32 = 4_294_967_296;

/** Of the types 0xc0 to 0xdf: the bytes of the length that follows, and those that follow in any case. */
const SIZES: readonly { readonly head: number; readonly body: number }[] = [
  // nil, one that is never used, false, true
  ...[0, 0, 0, 0].map((body) => ({ head: 0, body })),
  // bin 8, 16, 32; ext 8, 16, 32, whose type is a byte more
  ...[1, 2, 4].map((head) => ({ head, body: 0 })),
  ...[1, 2, 4].map((head) => ({ head, body: 1 })),
  // float 32, 64; uint 8 to 64; int 8 to 64; fixext 1 to 16
  ...[4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17].map((body) => ({ head: 0, body })),
  // str 8, 16, 32; array 16, 32; map 16, 32
  ...[1, 2, 4, 2, 4, 2, 4].map((head) => ({ head, body: 0 })),
];

/** Whether a number begins with this byte. */
function isNumber(type: number): boolean {
  return type < 0x80 || type >= 0xe0 || (type >= 0xca && type <= 0xd3);
}

export class MessagePackReader {
  bytes: Buffer = Buffer.alloc(0);
  // Its reads are the processor's own; those of a Buffer put a number together from bytes.
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the next byte is read. */
  position = 0;

  /** Reads these bytes from now on; they must not change meanwhile. */
  reset(bytes: Buffer): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.position = 0;
  }

  /** The length of an array; -1 where none comes next. */
  array(): number {
    const type = this.#byte();
    if ((type & 0xf0) === 0x90) return type & 0x0f;
    if (type === 0xdc) return this.#view.getUint16(this.#take(2));
    if (type === 0xdd) return this.#view.getUint32(this.#take(4));
    return -1;
  }

  /** A number of any kind; nil, and what is no number, is NaN. */
  number(): number {
    const type = this.#byte();
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 256;
    switch (type) {
      case 0xcb:
        return this.#view.getFloat64(this.#take(8));
      case 0xc0:
        return Number.NaN;
      case 0xcc:
        return this.#view.getUint8(this.#take(1));
      case 0xcd:
        return this.#view.getUint16(this.#take(2));
      case 0xce:
        return this.#view.getUint32(this.#take(4));
      case 0xcf: {
        const from = this.#take(8);
        return this.#view.getUint32(from) * TWO_32 + this.#view.getUint32(from + 4);
      }
      case 0xd0:
        return this.#view.getInt8(this.#take(1));
      case 0xd1:
        return this.#view.getInt16(this.#take(2));
      case 0xd2:
        return this.#view.getInt32(this.#take(4));
      case 0xd3: {
        const from = this.#take(8);
        return this.#view.getInt32(from) * TWO_32 + this.#view.getUint32(from + 4);
      }
      case 0xca:
        return this.#view.getFloat32(this.#take(4));
      default:
        return Number.NaN;
    }
  }

  /**
   * As many numbers of any kind or nils, which are NaN, into an array.
   * @returns false where one is something else, or infinite: reading has stopped somewhere then
   */
  numbers(into: Float64Array, from: number, count: number): boolean {
    const end = this.bytes.length - 9;
    for (let index = from; index < from + count; index++) {
      const at = this.position;
      let value: number;
      // Most are floats, which need no call.
      if (at <= end && this.bytes[at] === 0xcb) {
        value = this.#view.getFloat64(at + 1);
        this.position = at + 9;
      } else {
        const type = this.bytes[at];
        if (type !== undefined && type !== 0xc0 && !isNumber(type)) return false;
        value = this.number();
      }
      if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return false;
      into[index] = value;
    }
    return true;
  }

  /** A number if there is one; whatever else comes next is gone over, and is NaN. */
  numberOrSkip(): number {
    if (isNumber(this.bytes[this.position])) return this.number();
    this.skip();
    return Number.NaN;
  }

  /** Goes over a text and returns its length in bytes: it ends at {@link position}. -1 where none comes next. */
  textBytes(): number {
    const type = this.#byte();
    let length: number;
    if ((type & 0xe0) === 0xa0) length = type & 0x1f;
    else if (type === 0xd9) length = this.#view.getUint8(this.#take(1));
    else if (type === 0xda) length = this.#view.getUint16(this.#take(2));
    else if (type === 0xdb) length = this.#view.getUint32(this.#take(4));
    else return -1;
    this.#take(length);
    return length;
  }

  /** A text of so many bytes at most; undefined where there is none, or a longer one. */
  text(mostBytes: number): string | undefined {
    const length = this.textBytes();
    if (length < 0 || length > mostBytes) return undefined;
    return length === 0 ? "" : this.bytes.toString("utf8", this.position - length, this.position);
  }

  /** As {@link text}, or null for nil. */
  textOrNil(mostBytes: number): string | null | undefined {
    if (this.bytes[this.position] !== 0xc0) return this.text(mostBytes);
    this.position++;
    return null;
  }

  /** Goes over whatever comes next, of any type. Without recursion: it may be nested as deep as it likes. */
  skip(): void {
    // Each takes a byte at least, so that no array is longer than what is left of the bytes.
    for (let left = 1; left > 0; left--) {
      if (left > this.bytes.length - this.position) throw new WireError("the end came too early");
      const type = this.#byte();
      if (type < 0x80 || type >= 0xe0) continue;
      if (type < 0x90) left += 2 * (type & 0x0f);
      else if (type < 0xa0) left += type & 0x0f;
      else if (type < 0xc0) this.#take(type & 0x1f);
      else {
        const { head, body } = SIZES[type - 0xc0];
        const length = head === 0 ? 0 : this.#length(head);
        if (type === 0xdc || type === 0xdd) left += length;
        else if (type === 0xde || type === 0xdf) left += 2 * length;
        else this.#take(body + length);
      }
    }
  }

  #length(bytes: number): number {
    const at = this.#take(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #byte(): number {
    const byte = this.bytes[this.position++];
    if (byte === undefined) throw new WireError("the end came too early");
    return byte;
  }

  #take(size: number): number {
    const from = this.position;
    if (from + size > this.bytes.length) throw new WireError("the end came too early");
    this.position = from + size;
    return from;
  }
}
