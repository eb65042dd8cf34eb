/** Encodes what a client sends as MessagePack: texts, numbers, and lists and maps of them. */

/** A value that a command may contain. */
export type Packable = string | number | readonly Packable[] | { readonly [key: string]: Packable };

export function pack(value: Packable): Uint8Array {
  return Uint8Array.from(bytesOf(value));
}

/** Writes lengths in two bytes and numbers as doubles even where a shorter form exists: a client sends little. */
function bytesOf(value: Packable): number[] {
  if (typeof value === "number") return [0xcb, ...new Uint8Array(new Float64Array([value]).buffer).reverse()];
  if (typeof value === "string") {
    const bytes = [...new TextEncoder().encode(value)];
    return sized(0xda, bytes.length, bytes);
  }
  if (Array.isArray(value)) return sized(0xdc, value.length, value.flatMap(bytesOf));
  const members = Object.entries(value);
  return sized(0xde, members.length, members.flat().flatMap(bytesOf));
}

function sized(head: number, length: number, bytes: number[]): number[] {
  return [head, length >> 8, length & 0xff, ...bytes];
}
