/**
 * Decodes MessagePack as a gateway sends it: nil, booleans, numbers, texts, arrays and maps. Other types and deeper
 * nesting than a message needs are errors. It allocates memory only for elements that exist, not for a claimed length.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** How deep arrays and maps may be nested; a message needs three. */
const MAX_DEPTH = 8;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The error has no details: they would cost bytes in every page, and the fault is the gateway's. */
export function bad(): never {
  throw new RangeError("malformed");
}

/** Reads one message from its beginning. All methods throw on an unexpected type and beyond the end. */
export interface Unpacker {
  /** The head of an array. @returns the number of its elements */
  array(): number;
  /** A value of any kind; whole numbers beyond 2^53 are the nearest double. */
  value(): unknown;
  /** Throws when not all has been read. */
  end(): void;
}

export function unpacker(data: ArrayBuffer): Unpacker {
  const view = new DataView(data);
  let at = 0;

  /** Advances by this many bytes. @returns the offset before */
  function take(bytes: number): number {
    at += bytes;
    return at - bytes;
  }

  /** @param power of two, the number of bytes: up to 2 */
  function unsigned(power: number): number {
    const from = take(1 << power);
    if (power === 0) return view.getUint8(from);
    return power === 1 ? view.getUint16(from) : view.getUint32(from);
  }

  function signed(power: number): number {
    const unused = 32 - (8 << power);
    return (unsigned(power) << unused) >> unused;
  }

  /** Every value takes at least one byte: a length beyond the remaining bytes is an error. */
  function enter(values: number, depth: number): void {
    if (depth > MAX_DEPTH || values > data.byteLength - at) bad();
  }

  function list(length: number, depth: number): unknown[] {
    enter(length, depth);
    const values: unknown[] = [];
    for (let index = 0; index < length; index++) values.push(value(depth));
    return values;
  }

  function map(size: number, depth: number): Record<string, unknown> {
    enter(size, depth);
    const members: Record<string, unknown> = Object.create(null);
    for (let index = 0; index < size; index++) {
      const key = value(depth);
      if (typeof key !== "string") return bad();
      members[key] = value(depth);
    }
    return members;
  }

  function text(length: number): string {
    return UTF8.decode(new Uint8Array(data, take(length), length));
  }

  function value(depth = 0): unknown {
    const head = view.getUint8(at++);
    // The frequent ones first.
    if (head === 0xcb) return view.getFloat64(take(8));
    if (head < 0x80) return head;
    if (head < 0x90) return map(head & 0x0f, depth + 1);
    if (head < 0xa0) return list(head & 0x0f, depth + 1);
    if (head < 0xc0) return text(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    if (head === 0xc0) return null;
    if (head === 0xc2 || head === 0xc3) return head === 0xc3;
    if (head === 0xca) return view.getFloat32(take(4));
    if (head === 0xcf) return Number(view.getBigUint64(take(8)));
    if (head === 0xd3) return Number(view.getBigInt64(take(8)));
    // The remaining types are numbers of 1, 2 or 4 bytes, and values with a length of 1, 2 or 4 bytes.
    if (head >= 0xcc && head < 0xcf) return unsigned(head - 0xcc);
    if (head >= 0xd0 && head < 0xd3) return signed(head - 0xd0);
    if (head >= 0xd9 && head < 0xdc) return text(unsigned(head - 0xd9));
    if (head >= 0xdc && head < 0xde) return list(unsigned(head - 0xdb), depth + 1);
    if (head >= 0xde) return map(unsigned(head - 0xdd), depth + 1);
    return bad();
  }

  return {
    array() {
      const head = unsigned(0);
      if ((head & 0xf0) === 0x90) return head & 0x0f;
      return (head & 0xfe) === 0xdc ? unsigned(head - 0xdb) : bad();
    },
    value,
    end() {
      if (at < data.byteLength) bad();
    },
  };
}
