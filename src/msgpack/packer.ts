/**
 * Writes the MessagePack of the bus into one buffer that is reused: there are few shapes, and a general codec would
 * allocate for each of them.
 */
import { createTarget, type Target, writeNumber } from "./msgpack.ts";

export class Packer {
  readonly bytes: Buffer;
  readonly #target: Target;
  /** Where the next byte goes. */
  position = 0;

  /** @param capacity the most bytes; writing past it throws a RangeError */
  constructor(capacity: number) {
    this.#target = createTarget(capacity);
    this.bytes = this.#target.bytes;
  }

  /** The head of an array in its three-byte form, so that {@link patchArray} can set the length later. */
  array(length: number): void {
    const bytes = this.bytes;
    bytes[this.position] = 0xdc;
    bytes[this.position + 1] = length >> 8;
    bytes[this.position + 2] = length & 0xff;
    this.position += 3;
  }

  /** Sets the length of the array whose head is at `position`. */
  patchArray(position: number, length: number): void {
    this.bytes.writeUInt16BE(length, position + 1);
  }

  /** A text of at most 255 bytes; a longer one is cut at a character. */
  text(text: string): void {
    // write() stops before a character that does not fit.
    const length = this.bytes.write(text, this.position + 2, 255, "utf8");
    this.bytes[this.position] = 0xd9;
    this.bytes[this.position + 1] = length;
    this.position += 2 + length;
  }

  /** A text of at most 255 ASCII characters. A loop: for so few bytes a native call costs more. */
  ascii(text: string): void {
    const bytes = this.bytes;
    const length = text.length;
    let position = this.position;
    if (length < 32) bytes[position++] = 0xa0 | length;
    else {
      bytes[position++] = 0xd9;
      bytes[position++] = length;
    }
    for (let index = 0; index < length; index++) bytes[position++] = text.charCodeAt(index);
    this.position = position;
  }

  /**
   * A number; NaN is nil. As to clients, but for three kinds, which the bus has always written like this: 128 to 255
   * take three bytes, -0 keeps its sign, and an infinite number is a double.
   */
  number(value: number): void {
    const { view } = this.#target;
    const at = this.position;
    if (value >= 128 && value < 256 && value === Math.floor(value)) {
      view.setUint8(at, 0xcd);
      view.setUint16(at + 1, value);
      this.position = at + 3;
    } else if (Object.is(value, -0) || value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
      view.setUint8(at, 0xcb);
      view.setFloat64(at + 1, value);
      this.position = at + 9;
    } else this.position = writeNumber(view, at, value);
  }
}
