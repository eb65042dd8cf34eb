/**
 * MessagePack from strangers, into plain values: nil, booleans, numbers, texts, arrays and maps. No binary, no
 * extensions, no nesting beyond what a command needs. A codec that makes room for as many elements as an array claims
 * can be told, in 32 KB of nested heads, to make room for 3 GB; here nothing is made before its bytes have been read.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** The bytes are not MessagePack, or not of the part of it that is read here. */
export class DecodeError extends Error {
  override name = "DecodeError";
}

/** How deep arrays and maps may be nested. A command needs two. */
const MAX_DEPTH = 8;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Decodes one value that takes up all of the bytes. Maps become objects without a prototype, whole numbers beyond
 * 2^53 the nearest double.
 * @throws DecodeError
 */
export function decodePlain(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.left > 0) throw new DecodeError("there are bytes behind the value");
  return value;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  value(depth: number): unknown {
    const head = this.#bytes[this.#take(1)];
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head < 0x90) return this.#map(head & 0x0f, depth);
    if (head < 0xa0) return this.#array(head & 0x0f, depth);
    if (head < 0xc0) return this.#text(head & 0x1f);
    const bytes = this.#bytes;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return bytes.readDoubleBE(this.#take(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(head - 0xcc);
      case 0xcf:
        return Number(bytes.readBigUInt64BE(this.#take(8)));
      case 0xd0:
        return bytes.readInt8(this.#take(1));
      case 0xd1:
        return bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return Number(bytes.readBigInt64BE(this.#take(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(head - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(head - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(head - 0xdd), depth);
      default:
        throw new DecodeError(`0x${head.toString(16)} begins no plain value`);
    }
  }

  #array(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const values: unknown[] = [];
    for (let index = 0; index < length; index++) values.push(this.value(depth + 1));
    return values;
  }

  #map(size: number, depth: number): Record<string, unknown> {
    this.#enter(size * 2, depth);
    const map: Record<string, unknown> = Object.create(null);
    for (let index = 0; index < size; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw new DecodeError("a key must be a text or a number");
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  /** Every value takes a byte at least: a length that claims more than there is ends here. */
  #enter(values: number, depth: number): void {
    if (depth === MAX_DEPTH) throw new DecodeError("nested too deeply");
    if (values > this.left) throw new DecodeError("cut short");
  }

  #text(length: number): string {
    const from = this.#take(length);
    const bytes = this.#bytes.subarray(from, this.#at);
    try {
      return UTF8.decode(bytes);
    } catch (error) {
      throw new DecodeError("a text is not UTF-8", { cause: error });
    }
  }

  /** An unsigned number of 2^`power` bytes. */
  #unsigned(power: number): number {
    const length = 1 << power;
    return this.#bytes.readUIntBE(this.#take(length), length);
  }

  /** Steps over so many bytes. Returns where they begin. */
  #take(length: number): number {
    if (length > this.left) throw new DecodeError("cut short");
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
