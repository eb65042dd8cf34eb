/**
 * Messages from bytes and to bytes, in both subprotocols. What a gateway sends is checked as far as the client relies
 * on it: a message that has not its shape is a {@link BadMessage}, one with an unknown `op` is of a newer gateway.
 */
import type { Command, Control } from "../protocol/messages.ts";
import { FIELD_COUNT } from "../tick.ts";
import { type Packable, pack } from "./pack.ts";
import { BadMessage, Unpacker } from "./unpack.ts";

export { BadMessage } from "./unpack.ts";

/** Who is told what stands in a data frame. */
export interface FrameReader {
  begin(sentAt: number, bytes: number): void;
  /** @param values of which the first `count` are good, and only during the call; NaN where not known */
  tick(handle: number, seq: number, eventTime: number, values: Float64Array, count: number): void;
}

/** A command as it is sent. */
export function encodeCommand(command: Command, json: boolean): string | Uint8Array<ArrayBuffer> {
  return json ? JSON.stringify(command) : pack(command as unknown as Packable);
}

/** The bytes of a message as far as they can be told: a text of ASCII has as many as characters. */
export function sizeOf(data: unknown): number {
  return typeof data === "string" ? data.length : data instanceof ArrayBuffer ? data.byteLength : 0;
}

/** Whether a message is an array, as data frames are. */
export function isFrame(data: unknown): boolean {
  if (typeof data === "string") return data.startsWith("[");
  if (!(data instanceof ArrayBuffer) || data.byteLength === 0) return false;
  const [head] = new Uint8Array(data, 0, 1);
  return (head >= 0x90 && head < 0xa0) || head === 0xdc || head === 0xdd;
}

/** The values of the tick under way. */
const VALUES = new Float64Array(FIELD_COUNT);

/**
 * Reads a data frame: `[sentAt, [handle, seq, eventTime, value, …], …]`. No object is made on the way.
 * @throws BadMessage; what stood before has been told by then
 */
export function readFrame(data: unknown, reader: FrameReader): void {
  readingBytes(() => {
    if (typeof data === "string") readText(data, reader);
    else readBytes(data as ArrayBuffer, reader);
  });
}

function readBytes(data: ArrayBuffer, reader: FrameReader): void {
  const unpacker = new Unpacker(data);
  let ticks = unpacker.arrayHead();
  reader.begin(known(unpacker.number()), data.byteLength);
  while (--ticks > 0) {
    const count = unpacker.arrayHead() - 3;
    const handle = known(unpacker.number());
    const seq = known(unpacker.number());
    const eventTime = known(unpacker.number());
    for (let index = 0; index < count; index++) VALUES[index] = unpacker.number();
    reader.tick(handle, seq, eventTime, VALUES, count);
  }
  if (!unpacker.isAtEnd) throw new BadMessage("bytes behind the frame");
}

function readText(data: string, reader: FrameReader): void {
  const frame = JSON.parse(data) as unknown[];
  reader.begin(known(frame[0]), data.length);
  for (let at = 1; at < frame.length; at++) {
    const tick = frame[at];
    if (!Array.isArray(tick)) throw new BadMessage("not an array");
    const count = tick.length - 3;
    for (let index = 0; index < count; index++) VALUES[index] = known(tick[index + 3] ?? 0);
    for (let index = 0; index < count; index++) if (tick[index + 3] === null) VALUES[index] = Number.NaN;
    reader.tick(known(tick[0]), known(tick[1]), known(tick[2]), VALUES, count);
  }
}

function known(value: unknown): number {
  if (typeof value !== "number" || Number.isNaN(value)) throw new BadMessage("a number is missing");
  return value;
}

/**
 * A control message of a gateway's.
 * @returns undefined when its `op` is unknown
 * @throws BadMessage
 */
export function decodeControl(data: unknown): Control | undefined {
  const value = readingBytes(() => {
    if (typeof data === "string") return JSON.parse(data) as unknown;
    if (!(data instanceof ArrayBuffer)) throw new BadMessage("neither text nor an ArrayBuffer");
    const unpacker = new Unpacker(data);
    const read = unpacker.value();
    if (!unpacker.isAtEnd) throw new BadMessage("bytes behind the message");
    return read;
  });
  if (!isMap(value)) throw new BadMessage("neither a map nor an array");
  if (typeof value.op !== "string") throw new BadMessage("a map without an op");
  if (!Object.hasOwn(SHAPES, value.op)) return undefined;
  if (!SHAPES[value.op as Control["op"]](value)) throw new BadMessage(`not the shape of ${value.op}`);
  return value as unknown as Control;
}

/** Whatever goes wrong with the bytes is a BadMessage. */
function readingBytes<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof BadMessage ? error : new BadMessage("not decodable", { cause: error });
  }
}

const isText = (value: unknown): boolean => typeof value === "string";
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a map's members of these names, separated by spaces, are all of a type. */
function are(type: "number" | "string", map: unknown, names: string): boolean {
  return isMap(map) && names.split(" ").every((name) => typeof map[name] === type);
}

function isGrant(pair: unknown): boolean {
  return Array.isArray(pair) && isText(pair[0]) && typeof pair[1] === "number";
}

const SHAPES: { readonly [Op in Control["op"]]: (message: Record<string, unknown>) => boolean } = {
  hello: (message) =>
    are("number", message, "protocol time heartbeat") &&
    are("string", message, "session node") &&
    are("number", message.limits, "symbols commandsPerSecond messageBytes"),
  subscribed: ({ interval, fields, symbols, rejected }) =>
    typeof interval === "number" &&
    isTexts(fields) &&
    Array.isArray(symbols) &&
    symbols.every(isGrant) &&
    Array.isArray(rejected) &&
    rejected.every((rejection) => are("string", rejection, "symbol code message")),
  unsubscribed: ({ symbols }) => isTexts(symbols),
  status: (message) => isTexts(message.symbols) && are("string", message, "state") && are("number", message, "since"),
  quality: (message) => are("string", message, "state reason") && are("number", message, "interval"),
  heartbeat: (message) => are("number", message, "time"),
  pong: (message) => are("number", message, "time"),
  error: (message) => are("string", message, "code message"),
  bye: (message) => are("string", message, "reason") && are("number", message, "code retryAfter"),
};
