/**
 * Writes MessagePack by hand into one buffer that is used again and again: the bus's shapes are few, and a general
 * codec allocates for each of them.
 */

const TWO_32 = 4_294_967_296;

export class Packer {
  readonly bytes: Buffer;
  /** Where the next byte goes. */
  position = 0;

  /** @param capacity the most bytes; writing past it throws a RangeError */
  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** An array's head in its three-byte form, so that {@link patchArray} can set its length later. */
  array(length: number): void {
    const bytes = this.bytes;
    bytes[this.position] = 0xdc;
    bytes[this.position + 1] = length >> 8;
    bytes[this.position + 2] = length & 0xff;
    this.position += 3;
  }

  /** Sets the length of an array whose head stands at `position`. */
  patchArray(position: number, length: number): void {
    this.bytes.writeUInt16BE(length, position + 1);
  }

  /** A text of at most 255 bytes; what is longer is cut at a character. */
  text(text: string): void {
    // write() stops at a whole character where there is no room for the next one.
    const length = this.bytes.write(text, this.position + 2, 255, "utf8");
    this.bytes[this.position] = 0xd9;
    this.bytes[this.position + 1] = length;
    this.position += 2 + length;
  }

  /** A text that is known to be ASCII, of at most 255 characters. A loop: a native call costs more for so few bytes. */
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

  /** A number, as short as it goes without a loss; NaN is nil. */
  number(value: number): void {
    const bytes = this.bytes;
    const position = this.position;
    if (value >= 0 && value < TWO_32 && value === Math.floor(value) && !Object.is(value, -0)) {
      if (value < 128) {
        bytes[position] = value;
        this.position = position + 1;
      } else if (value < 65_536) {
        bytes[position] = 0xcd;
        bytes[position + 1] = value >>> 8;
        bytes[position + 2] = value;
        this.position = position + 3;
      } else {
        bytes[position] = 0xce;
        bytes[position + 1] = value >>> 24;
        bytes[position + 2] = value >>> 16;
        bytes[position + 3] = value >>> 8;
        bytes[position + 4] = value;
        this.position = position + 5;
      }
    } else if (Number.isNaN(value)) {
      bytes[position] = 0xc0;
      this.position = position + 1;
    } else {
      bytes[position] = 0xcb;
      bytes.writeDoubleBE(value, position + 1);
      this.position = position + 9;
    }
  }
}
