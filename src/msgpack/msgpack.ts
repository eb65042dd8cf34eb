/**
 * Writes parts of MessagePack into existing memory, without an object per tick as a codec would. Used for the frames to
 * clients, and by packer.ts for the bus. Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** The most bytes that {@link writeNumber} writes. */
export const MAX_NUMBER_BYTES = 9;

/** Memory to write to: the same bytes as a Buffer and as a DataView. */
export interface Target {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** New memory of so many bytes. */
export function createTarget(size: number): Target {
  const bytes = Buffer.alloc(size);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, size) };
}

/**
 * Writes a number: a whole number below 2^32 in the fewest bytes, any other as a double; one that is not finite as nil.
 * @returns the position behind it
 */
export function writeNumber(view: DataView, at: number, value: number): number {
  if (value >= 0 && value <= 0xffffffff && value >>> 0 === value) {
    if (value < 0x80) {
      view.setUint8(at, value);
      return at + 1;
    }
    if (value < 0x100) {
      view.setUint8(at, 0xcc);
      view.setUint8(at + 1, value);
      return at + 2;
    }
    if (value < 0x10000) {
      view.setUint8(at, 0xcd);
      view.setUint16(at + 1, value);
      return at + 3;
    }
    view.setUint8(at, 0xce);
    view.setUint32(at + 1, value);
    return at + 5;
  }
  if (!Number.isFinite(value)) {
    view.setUint8(at, 0xc0);
    return at + 1;
  }
  view.setUint8(at, 0xcb);
  view.setFloat64(at + 1, value);
  return at + 9;
}

/**
 * Writes the head of an array of up to 65,535 elements.
 * @returns the position behind it
 */
export function writeArrayHead(view: DataView, at: number, length: number): number {
  if (length < 16) {
    view.setUint8(at, 0x90 | length);
    return at + 1;
  }
  view.setUint8(at, 0xdc);
  view.setUint16(at + 1, length);
  return at + 3;
}
