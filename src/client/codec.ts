/**
 * Messages from bytes and to bytes, in both subprotocols. What a gateway sends is checked as far as the client relies
 * on it: a message that has not its shape is a {@link BadMessage}, one with an unknown `op` is of a newer gateway.
 */
import { pack, Unpackr } from "msgpackr";
import type { Command, Control } from "../protocol/messages.ts";

/** A data frame: `[sentAt, [handle, seq, eventTime, value, …], …]`. */
export type DataFrame = [sentAt: number, ...ticks: WireTick[]];
export type WireTick = [handle: number, seq: number, eventTime: number, ...values: (number | null)[]];

/** What a message is not decodable by. */
export class BadMessage extends Error {
  override name = "BadMessage";
}

// The gateway sends plain MessagePack; 64-bit integers, which it does not send, would otherwise become BigInts.
const UNPACKR = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

/** A command as it is sent. */
export function encodeCommand(command: Command, json: boolean): string | Uint8Array<ArrayBuffer> {
  // A copy: packing gives views on shared memory, and a socket may send later.
  return json ? JSON.stringify(command) : new Uint8Array(pack(command));
}

/** The bytes of a message as far as they can be told: a text of ASCII has as many as characters. */
export function sizeOf(data: unknown): number {
  return typeof data === "string" ? data.length : data instanceof ArrayBuffer ? data.byteLength : 0;
}

/**
 * A message of a gateway's.
 * @returns undefined when its `op` is unknown
 * @throws BadMessage
 */
export function decodeMessage(data: unknown): Control | DataFrame | undefined {
  const value = decode(data);
  if (Array.isArray(value)) {
    if (typeof value[0] !== "number" || !value.every((tick, index) => index === 0 || isTick(tick)))
      throw new BadMessage("an array that is no data frame");
    return value as DataFrame;
  }
  if (typeof value !== "object" || value === null) throw new BadMessage("neither a map nor an array");
  const message = value as Record<string, unknown>;
  if (typeof message.op !== "string") throw new BadMessage("a map without an op");
  if (!Object.hasOwn(SHAPES, message.op)) return undefined;
  if (!SHAPES[message.op as Control["op"]](message)) throw new BadMessage(`not the shape of ${message.op}`);
  return value as Control;
}

function decode(data: unknown): unknown {
  try {
    if (typeof data === "string") return JSON.parse(data);
    if (data instanceof ArrayBuffer) return UNPACKR.unpack(new Uint8Array(data));
  } catch (error) {
    throw new BadMessage("not decodable", { cause: error });
  }
  throw new BadMessage("neither text nor an ArrayBuffer");
}

function isTick(tick: unknown): boolean {
  if (!Array.isArray(tick) || tick.length < 3) return false;
  for (let index = 0; index < 3; index++) if (typeof tick[index] !== "number") return false;
  for (let index = 3; index < tick.length; index++)
    if (tick[index] !== null && typeof tick[index] !== "number") return false;
  return true;
}

const isNumber = (value: unknown): boolean => typeof value === "number";
const isText = (value: unknown): boolean => typeof value === "string";
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const SHAPES: { readonly [Op in Control["op"]]: (message: Record<string, unknown>) => boolean } = {
  hello: ({ protocol, session, node, heartbeat, limits }) =>
    isNumber(protocol) &&
    isText(session) &&
    isText(node) &&
    isNumber(heartbeat) &&
    isMap(limits) &&
    isNumber(limits.symbols) &&
    isNumber(limits.commandsPerSecond) &&
    isNumber(limits.messageBytes),
  subscribed: ({ interval, fields, symbols, rejected }) =>
    isNumber(interval) &&
    isTexts(fields) &&
    Array.isArray(symbols) &&
    symbols.every((pair) => Array.isArray(pair) && isText(pair[0]) && isNumber(pair[1])) &&
    Array.isArray(rejected) &&
    rejected.every((entry) => isMap(entry) && isText(entry.symbol) && isText(entry.code)),
  unsubscribed: ({ symbols }) => isTexts(symbols),
  status: ({ symbols, state, since }) => isTexts(symbols) && isText(state) && isNumber(since),
  quality: ({ state, interval, reason }) => isText(state) && isNumber(interval) && isText(reason),
  heartbeat: ({ time }) => isNumber(time),
  pong: ({ time }) => isNumber(time),
  error: ({ code, message }) => isText(code) && isText(message),
  bye: ({ code, reason, retryAfter }) => isNumber(code) && isText(reason) && isNumber(retryAfter),
};
