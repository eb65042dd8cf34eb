/** MessagePack of what a client sends: texts of ASCII, numbers, lists and maps of them. */

/** What a command is made of; undefined members of a map are left out. */
export type Packable = string | number | readonly Packable[] | { readonly [key: string]: Packable | undefined };

export function pack(value: Packable): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  write(bytes, value);
  return Uint8Array.from(bytes);
}

function write(bytes: number[], value: Packable): void {
  if (typeof value === "number") return writeNumber(bytes, value);
  if (typeof value === "string") {
    writeHead(bytes, value.length, 0xa0, 0x20, 0xda);
    for (let index = 0; index < value.length; index++) bytes.push(value.charCodeAt(index));
  } else if (Array.isArray(value)) {
    writeHead(bytes, value.length, 0x90, 0x10, 0xdc);
    for (const element of value) write(bytes, element);
  } else {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    writeHead(bytes, members.length, 0x80, 0x10, 0xde);
    for (const [key, member] of members) {
      write(bytes, key);
      write(bytes, member as Packable);
    }
  }
}

/** @param short the head of lengths below `limit`; `long` that of those up to 65,535 */
function writeHead(bytes: number[], length: number, short: number, limit: number, long: number): void {
  if (length < limit) bytes.push(short | length);
  else bytes.push(long, length >> 8, length & 0xff);
}

function writeNumber(bytes: number[], value: number): void {
  if (value >= 0 && value < 0x80 && Number.isInteger(value)) bytes.push(value);
  else {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    bytes.push(0xcb, ...new Uint8Array(view.buffer));
  }
}
