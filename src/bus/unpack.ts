/**
 * Reads MessagePack step by step, without building what is read. Everything is checked: the bytes come from another
 * process, which may be broken or of another version.
 */

/** The bytes are not what they should be. Counted and skipped, never fatal. */
export class WireError extends Error {
  override name = "WireError";
}

const TWO_32 = 4_294_967_296;
/** How deep things that are skipped may be nested. */
const MAX_DEPTH = 8;

export class Unpacker {
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

  /** The length of an array. */
  array(): number {
    const type = this.#byte();
    if ((type & 0xf0) === 0x90) return type & 0x0f;
    if (type === 0xdc) return this.#view.getUint16(this.#take(2));
    if (type === 0xdd) return this.#view.getUint32(this.#take(4));
    throw new WireError(`an array was expected, not type 0x${type.toString(16)}`);
  }

  /** A number of any kind; nil is NaN. */
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
        throw new WireError(`a number was expected, not type 0x${type.toString(16)}`);
    }
  }

  /** As many numbers of any kind, into an array. */
  numbers(into: Float64Array, from: number, count: number): void {
    const end = this.bytes.length - 9;
    for (let index = from; index < from + count; index++) {
      const at = this.position;
      // Most are floats, which need no call.
      if (at <= end && this.bytes[at] === 0xcb) {
        into[index] = this.#view.getFloat64(at + 1);
        this.position = at + 9;
      } else into[index] = this.number();
    }
  }

  /** A number if there is one; whatever else comes next is gone over, and is NaN. */
  numberOrSkip(): number {
    const type = this.bytes[this.position];
    if (type < 0x80 || type >= 0xe0 || (type >= 0xca && type <= 0xd3)) return this.number();
    this.skip();
    return Number.NaN;
  }

  /** Goes over a text and returns its length in bytes: it ends at {@link position}. */
  textBytes(): number {
    const type = this.#byte();
    let length: number;
    if ((type & 0xe0) === 0xa0) length = type & 0x1f;
    else if (type === 0xd9) length = this.#view.getUint8(this.#take(1));
    else if (type === 0xda) length = this.#view.getUint16(this.#take(2));
    else throw new WireError(`a text was expected, not type 0x${type.toString(16)}`);
    this.#take(length);
    return length;
  }

  text(): string {
    const length = this.textBytes();
    return length === 0 ? "" : this.bytes.toString("utf8", this.position - length, this.position);
  }

  /** Goes over whatever comes next: what a later version has added. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) throw new WireError("nested too deep");
    const type = this.bytes[this.position];
    if (type === undefined) throw new WireError("the end came too early");
    if (type < 0x80 || type >= 0xe0 || type === 0xc0 || (type >= 0xca && type <= 0xd3)) this.number();
    else if ((type & 0xe0) === 0xa0 || type === 0xd9 || type === 0xda) this.textBytes();
    else if ((type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd) {
      for (let left = this.array(); left > 0; left--) this.skip(depth + 1);
    } else if (type === 0xc2 || type === 0xc3) this.position++;
    else if (type === 0xc4) {
      this.position++;
      this.#take(this.#view.getUint8(this.#take(1)));
    } else throw new WireError(`type 0x${type.toString(16)} is not used here`);
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
