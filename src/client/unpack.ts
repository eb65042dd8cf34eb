/**
 * MessagePack as a gateway sends it: nil, booleans, numbers, texts, arrays and maps, from memory that is only read. Nothing
 * else is ever made of it, nothing is nested deeper than a message needs, and no room is made for what is only claimed.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** How deep arrays and maps may be nested; a message needs three. */
const MAX_DEPTH = 8;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes are not what they should be. */
export class BadMessage extends Error {
  override name = "BadMessage";
}

/** Reads one message from its beginning. What is read beyond the end is a RangeError of the DataView's. */
export class Unpacker {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(data: ArrayBuffer) {
    this.#bytes = new Uint8Array(data);
    this.#view = new DataView(data);
  }

  /** Whether all has been read. */
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /**
   * A number, or NaN for nil.
   * @throws BadMessage where neither stands
   */
  number(): number {
    const view = this.#view;
    const at = this.#at;
    const head = view.getUint8(at);
    if (head === 0xcb) {
      this.#at = at + 9;
      return view.getFloat64(at + 1);
    }
    this.#at = at + 1;
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head === 0xc0) return Number.NaN;
    return this.#number(head);
  }

  /**
   * How many elements the array has that stands here.
   * @throws BadMessage where none stands
   */
  arrayHead(): number {
    const head = this.#view.getUint8(this.#at);
    this.#at++;
    if (head >= 0x90 && head < 0xa0) return head & 0x0f;
    if (head !== 0xdc && head !== 0xdd) throw new BadMessage("not an array");
    return this.#length(head - 0xdc, 1);
  }

  /** A value of any kind; whole numbers beyond 2^53 are the nearest double. @throws BadMessage */
  value(depth = 0): unknown {
    const head = this.#view.getUint8(this.#at);
    if ((head >= 0x80 && head < 0x90) || head === 0xde || head === 0xdf) return this.#map(head, depth);
    if ((head >= 0x90 && head < 0xa0) || head === 0xdc || head === 0xdd) return this.#array(depth);
    if ((head >= 0xa0 && head < 0xc0) || (head >= 0xd9 && head <= 0xdb)) return this.#text(head);
    if (head === 0xc0 || head === 0xc2 || head === 0xc3) {
      this.#at++;
      return head === 0xc0 ? null : head === 0xc3;
    }
    return this.number();
  }

  #number(head: number): number {
    const view = this.#view;
    const at = this.#at;
    switch (head) {
      case 0xca:
        this.#at = at + 4;
        return view.getFloat32(at);
      case 0xcc:
        this.#at = at + 1;
        return view.getUint8(at);
      case 0xcd:
        this.#at = at + 2;
        return view.getUint16(at);
      case 0xce:
        this.#at = at + 4;
        return view.getUint32(at);
      case 0xcf:
        this.#at = at + 8;
        return Number(view.getBigUint64(at));
      case 0xd0:
        this.#at = at + 1;
        return view.getInt8(at);
      case 0xd1:
        this.#at = at + 2;
        return view.getInt16(at);
      case 0xd2:
        this.#at = at + 4;
        return view.getInt32(at);
      case 0xd3:
        this.#at = at + 8;
        return Number(view.getBigInt64(at));
      default:
        throw new BadMessage(`0x${head.toString(16)} begins no plain value`);
    }
  }

  #array(depth: number): unknown[] {
    const length = this.arrayHead();
    if (depth === MAX_DEPTH) throw new BadMessage("nested too deeply");
    const values: unknown[] = [];
    for (let index = 0; index < length; index++) values.push(this.value(depth + 1));
    return values;
  }

  #map(head: number, depth: number): Record<string, unknown> {
    this.#at++;
    const size = head < 0x90 ? head & 0x0f : this.#length(head - 0xde, 2);
    if (depth === MAX_DEPTH) throw new BadMessage("nested too deeply");
    const map: Record<string, unknown> = Object.create(null);
    for (let index = 0; index < size; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new BadMessage("a key that is no text");
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #text(head: number): string {
    this.#at++;
    const length = head < 0xc0 ? head & 0x1f : head === 0xd9 ? this.#number(0xcc) : this.#length(head - 0xda, 1);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new BadMessage("cut short");
    const text = UTF8.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return text;
  }

  /** A length of two bytes or, where `wide`, of four; each of the `times` elements takes a byte at least. */
  #length(wide: number, times: number): number {
    const length = this.#number(wide ? 0xce : 0xcd);
    if (length * times > this.#bytes.length - this.#at) throw new BadMessage("cut short");
    return length;
  }
}
