/**
 * The MessagePack that a client of the protocol needs, for k6: its scripts cannot import npm packages. Its JavaScript
 * engine is slow, so ticks are read without their values. It has no TextDecoder, so texts are ASCII only. Source:
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** A data frame: for each tick its handle, `seq`, `eventTime` and number of values, adjacent. */
export interface DataFrame {
  readonly sentAt: number;
  readonly ticks: number[];
  /** Trades, books and bars. */
  readonly streamTicks: readonly StreamTick[];
}

/** A tick of another channel than quotes. */
export interface StreamTick {
  readonly handle: number;
  readonly seq: number;
  /** Of a bar: its start. */
  readonly eventTime: number;
  readonly values: readonly unknown[];
}
/** Numbers per tick in {@link DataFrame.ticks}. */
export const TICK_NUMBERS = 4;

/** The largest command, bytes. */
const MAX_COMMAND = 32_768;
/** The deepest nesting of a control message. */
const MAX_DEPTH = 8;

/** The size of a number or nil, by its first byte; 0 for other types. */
const NUMBER_BYTES = new Uint8Array(256);
for (let first = 0; first < 256; first++) NUMBER_BYTES[first] = first < 0x80 || first >= 0xe0 ? 1 : 0;
const SIZES = [
  [0xc0, 1],
  [0xca, 5],
  [0xcb, 9],
  [0xcc, 2],
  [0xcd, 3],
  [0xce, 5],
  [0xcf, 9],
  [0xd0, 2],
  [0xd1, 3],
  [0xd2, 5],
  [0xd3, 9],
] as const;
for (const [first, size] of SIZES) NUMBER_BYTES[first] = size;
/** The same, but other types lead past the end of the frame, so that one check at the end is enough. */
const OUTSIDE = 1 << 24;
const STEPS = Array.from(NUMBER_BYTES, (size) => (size === 0 ? OUTSIDE : size));

/** A read position. */
interface Cursor {
  readonly view: DataView;
  at: number;
}

/** Whether a message is a control message, which is a map, by its first byte. */
export function isControl(first: number): boolean {
  return (first & 0xf0) === 0x80 || first === 0xde;
}

/** The number of ticks of a data frame; 0 for other messages. */
export function tickCount(bytes: Uint8Array): number {
  const first = bytes[0];
  if ((first & 0xf0) === 0x90) return (first & 0x0f) - 1;
  return first === 0xdc ? (bytes[1] << 8) + bytes[2] - 1 : 0;
}

/**
 * Reads a data frame. Avoids calls and objects: each takes k6 half a microsecond.
 * @param streams the handles of trades, books and bars, if there are any: those ticks are read with their values
 * @throws Error when it is not a data frame
 */
export function readFrame(message: ArrayBuffer, streams?: ReadonlyMap<number, unknown>): DataFrame {
  const bytes = new Uint8Array(message);
  const view = new DataView(message);
  const end = bytes.length;
  const elements = tickCount(bytes);
  const ticks: number[] = [];
  const streamTicks: StreamTick[] = [];
  let at = bytes[0] === 0xdc ? 3 : 1;
  if (elements < 0 || (bytes[0] !== 0xdc && (bytes[0] & 0xf0) !== 0x90)) throw new Error("not an array");
  const sentAt = numberAt(view, at);
  at += STEPS[bytes[at]];
  for (let tick = 0; tick < elements; tick++) {
    const head = bytes[at];
    if ((head & 0xf0) !== 0x90 || head < 0x93) throw new Error("a tick without handle, seq and eventTime");
    at++;
    for (let number = 0; number < 2; number++) {
      const first = bytes[at];
      if (first < 0x80) ticks.push(first);
      else if (first === 0xcd) ticks.push((bytes[at + 1] << 8) | bytes[at + 2]);
      else ticks.push(numberAt(view, at));
      at += STEPS[first];
    }
    ticks.push(bytes[at] === 0xcb && at + 9 <= end ? view.getFloat64(at + 1) : numberAt(view, at));
    at += STEPS[bytes[at]];
    const values = head - 0x93;
    if (streams?.has(ticks[ticks.length - 3])) {
      const [handle, seq, eventTime] = ticks.splice(-3);
      const cursor: Cursor = { view, at };
      streamTicks.push({ handle, seq, eventTime, values: array(cursor, values, 0) });
      at = cursor.at;
      continue;
    }
    for (let value = 0; value < values; value++) at += STEPS[bytes[at]];
    ticks.push(values);
  }
  if (at !== end) throw new Error("a frame that does not end with its last tick");
  return { sentAt, ticks, streamTicks };
}

/**
 * Reads a control message.
 * @throws Error when it is not a control message
 */
export function readControl(message: ArrayBuffer): Record<string, unknown> {
  const cursor: Cursor = { view: new DataView(message), at: 0 };
  const value = any(cursor, 0);
  if (typeof value !== "object" || value === null || Array.isArray(value) || cursor.at !== message.byteLength)
    throw new Error("not a map");
  return value as Record<string, unknown>;
}

/**
 * Writes a command.
 * @throws Error when it is longer than a gateway accepts by default
 */
export function packCommand(command: Readonly<Record<string, string | number | readonly string[]>>): ArrayBuffer {
  const bytes: number[] = [];
  const entries = Object.entries(command);
  bytes.push(0x80 | entries.length);
  for (const [name, value] of entries) {
    pushText(bytes, name);
    if (typeof value === "string") pushText(bytes, value);
    else if (typeof value === "number") pushDouble(bytes, value);
    else {
      bytes.push(0xdc, value.length >> 8, value.length & 0xff);
      for (const text of value) pushText(bytes, text);
    }
  }
  if (bytes.length > MAX_COMMAND) throw new Error(`a command of ${bytes.length} bytes`);
  return Uint8Array.from(bytes).buffer;
}

function pushText(bytes: number[], text: string): void {
  if (text.length > 255) throw new Error(`a text of ${text.length} characters`);
  bytes.push(0xd9, text.length);
  for (let index = 0; index < text.length; index++) bytes.push(text.charCodeAt(index));
}

function pushDouble(bytes: number[], value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  bytes.push(0xcb);
  for (let index = 0; index < 8; index++) bytes.push(view.getUint8(index));
}

function number(cursor: Cursor): number {
  const value = numberAt(cursor.view, cursor.at);
  cursor.at += NUMBER_BYTES[cursor.view.getUint8(cursor.at)];
  return value;
}

function numberAt(view: DataView, at: number): number {
  const first = view.getUint8(at);
  if (NUMBER_BYTES[first] === 0 || first === 0xc0) throw new Error("not a number");
  if (first < 0x80) return first;
  if (first >= 0xe0) return first - 0x100;
  switch (first) {
    case 0xca:
      return view.getFloat32(at + 1);
    case 0xcb:
      return view.getFloat64(at + 1);
    case 0xcc:
      return view.getUint8(at + 1);
    case 0xcd:
      return view.getUint16(at + 1);
    case 0xce:
      return view.getUint32(at + 1);
    case 0xcf:
      return view.getUint32(at + 1) * 2 ** 32 + view.getUint32(at + 5);
    case 0xd0:
      return view.getInt8(at + 1);
    case 0xd1:
      return view.getInt16(at + 1);
    case 0xd2:
      return view.getInt32(at + 1);
    default:
      return view.getInt32(at + 1) * 2 ** 32 + view.getUint32(at + 5);
  }
}

function any(cursor: Cursor, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new Error("too deep");
  const { view } = cursor;
  const first = view.getUint8(cursor.at);
  if (NUMBER_BYTES[first] > 0 && first !== 0xc0) return number(cursor);
  cursor.at++;
  if (first === 0xc0) return null;
  if (first === 0xc2 || first === 0xc3) return first === 0xc3;
  if ((first & 0xe0) === 0xa0) return text(cursor, first & 0x1f);
  if ((first & 0xf0) === 0x90) return array(cursor, first & 0x0f, depth);
  if ((first & 0xf0) === 0x80) return map(cursor, first & 0x0f, depth);
  if (first === 0xd9) return text(cursor, unsigned(cursor, 1));
  if (first === 0xda) return text(cursor, unsigned(cursor, 2));
  if (first === 0xdc) return array(cursor, unsigned(cursor, 2), depth);
  if (first === 0xde) return map(cursor, unsigned(cursor, 2), depth);
  throw new Error(`a byte ${first} that the protocol does not have`);
}

function unsigned(cursor: Cursor, size: 1 | 2): number {
  cursor.at += size;
  return size === 1 ? cursor.view.getUint8(cursor.at - 1) : cursor.view.getUint16(cursor.at - 2);
}

function text(cursor: Cursor, length: number): string {
  const codes: number[] = [];
  for (let index = 0; index < length; index++) codes.push(cursor.view.getUint8(cursor.at++));
  return String.fromCharCode(...codes);
}

function array(cursor: Cursor, length: number, depth: number): unknown[] {
  const values: unknown[] = [];
  for (let index = 0; index < length; index++) values.push(any(cursor, depth + 1));
  return values;
}

function map(cursor: Cursor, size: number, depth: number): Record<string, unknown> {
  const entries: Record<string, unknown> = {};
  for (let index = 0; index < size; index++) {
    const key = any(cursor, depth + 1);
    entries[String(key)] = any(cursor, depth + 1);
  }
  return entries;
}
