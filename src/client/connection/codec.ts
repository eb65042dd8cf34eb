/**
 * Encodes and decodes messages in both subprotocols. The decoder checks what the client relies on: it throws where a
 * message does not have its shape, and ignores a message with an unknown `op`, which is from a newer gateway.
 */

import type { Command, Control } from "../../protocol/messages.ts";
import { type Packable, pack } from "./pack.ts";
import { bad, unpacker } from "./unpack.ts";

/** Receives the content of a data frame. */
export interface FrameReader {
  begin(sentAt: number): void;
  /** @param values as received; only during the call */
  tick(handle: number, seq: number, eventTime: number, values: readonly unknown[]): void;
}

/** Encodes a command. */
export function encodeCommand(command: Command, json: boolean): string | Uint8Array {
  return json ? JSON.stringify(command) : pack(command as unknown as Packable);
}

/** The size of a message in bytes; for a text its length, which is exact for ASCII. */
export function sizeOf(data: unknown): number {
  return typeof data === "string" ? data.length : (data as ArrayBuffer).byteLength;
}

/** Whether a message is an array, as data frames are: by its first byte or character. */
export function isFrame(data: unknown): boolean {
  if (typeof data === "string") return data.startsWith("[");
  const [head = 0] = new Uint8Array(data as ArrayBuffer);
  return (head & 0xf0) === 0x90 || (head & 0xfe) === 0xdc;
}

/** The values of the tick under way. */
const VALUES: unknown[] = [];

/**
 * Reads a data frame: `[sentAt, [handle, seq, eventTime, value, …], …]`. It allocates no
 * object per tick.
 * @throws Error when it is malformed; the reader has then received the ticks before the error
 */
export function readFrame(data: unknown, reader: FrameReader): void {
  if (typeof data === "string") readText(data, reader);
  else readBytes(data as ArrayBuffer, reader);
}

function readBytes(data: ArrayBuffer, reader: FrameReader): void {
  const { array, value, end } = unpacker(data);
  let ticks = array();
  reader.begin(known(value()));
  while (--ticks > 0) {
    let count = array();
    const handle = known(value());
    const seq = known(value());
    const eventTime = known(value());
    VALUES.length = 0;
    while (--count > 2) VALUES.push(value());
    reader.tick(handle, seq, eventTime, VALUES);
  }
  end();
}

function readText(data: string, reader: FrameReader): void {
  const [sentAt, ...ticks] = JSON.parse(data) as unknown[];
  reader.begin(known(sentAt));
  // A tick that is not a list makes the destructuring throw a TypeError.
  for (const [handle, seq, eventTime, ...values] of ticks as Iterable<unknown>[])
    reader.tick(known(handle), known(seq), known(eventTime), values);
}

function known(value: unknown): number {
  return typeof value === "number" && !Number.isNaN(value) ? value : bad();
}

/**
 * Decodes a control message.
 * @returns undefined when its `op` is unknown
 * @throws Error when it is malformed
 */
export function decodeControl(data: unknown): Control | undefined {
  const control = decode(data) as Control;
  if (!fits(control, { op: "" })) bad();
  if (!Object.hasOwn(SHAPES, control.op)) return undefined;
  return fits(control, SHAPES[control.op]) ? control : bad();
}

function decode(data: unknown): unknown {
  if (typeof data === "string") return JSON.parse(data);
  const { value, end } = unpacker(data as ArrayBuffer);
  const read = value();
  end();
  return read;
}

/** An example of each kind of message. In a list of one element, every element must have the shape of that one. */
const SHAPES: { readonly [Op in Control["op"]]: Shape } = {
  hello: {
    protocol: 0,
    session: "",
    node: "",
    time: 0,
    heartbeat: 0,
    limits: { symbols: 0, commandsPerSecond: 0, messageBytes: 0 },
  },
  subscribed: { interval: 0, symbols: [["", 0]], rejected: [{ symbol: "", code: "", message: "" }] },
  unsubscribed: { symbols: [""] },
  authenticated: {},
  expiring: {},
  status: { symbols: [""], state: "", since: 0 },
  quality: { state: "", interval: 0, reason: "" },
  heartbeat: { time: 0 },
  pong: { time: 0 },
  error: { code: "", message: "" },
  bye: { code: 0, reason: "", retryAfter: 0 },
};

type Shape = string | number | readonly Shape[] | { readonly [name: string]: Shape };

/** Whether a value has at least what the shape has, each of the same type. */
function fits(value: unknown, shape: Shape): boolean {
  if (typeof value !== typeof shape || value === null || Number.isNaN(value)) return false;
  if (typeof shape !== "object") return true;
  if (Array.isArray(value) && Array.isArray(shape) && shape.length === 1)
    return value.every((element) => fits(element, shape[0]));
  return (
    Array.isArray(value) === Array.isArray(shape) &&
    Object.entries(shape).every(([name, member]) => fits((value as Record<string, unknown>)[name], member))
  );
}
