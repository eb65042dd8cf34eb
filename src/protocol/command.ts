/**
 * Parses a client's bytes into a command. The input is untrusted: only the shapes of docs/protocol.md are accepted, and
 * nothing throws.
 */
import { FIELDS, type Field, fieldIndex } from "../base/tick.ts";
import { decodePlain } from "../msgpack/decode.ts";
import type { ErrorCode } from "./codes.ts";
import {
  CHANNELS,
  type Channel,
  type Command,
  type CommandId,
  DEFAULT_RESOLUTION,
  DEPTHS,
  MAX_ID_LENGTH,
  MAX_INTERVAL,
  MAX_LAST_BARS,
  MAX_LAST_TRADES,
  RESOLUTIONS,
  type Resolution,
  type Subscribe,
} from "./messages.ts";

/** Why a command was refused. */
export interface CommandFault {
  readonly fault: ErrorCode;
  readonly message: string;
  /** The command's id, if it could be read. */
  readonly id?: CommandId;
}

/** The optional keys of commands. */
const OPTIONAL_KEYS = ["id", "interval", "fields", "channel", "depth", "last", "resolution"] as const;
const MAX_DEPTH = DEPTHS[DEPTHS.length - 1];
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Parses a command in MessagePack or JSON. */
export function readCommand(bytes: Uint8Array, json: boolean): Command | CommandFault {
  let value: unknown;
  try {
    value = json ? JSON.parse(UTF8.decode(bytes)) : decodePlain(bytes);
  } catch {
    return { fault: "bad_message", message: `not decodable as ${json ? "JSON" : "MessagePack"}` };
  }
  return checkCommand(value);
}

/** Whether a command was refused. */
export function isFault(result: Command | CommandFault): result is CommandFault {
  return "fault" in result;
}

function checkCommand(value: unknown): Command | CommandFault {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { fault: "bad_message", message: "a command is a map with an op" };
  const command = value as Record<string, unknown>;
  const { op, symbols } = command;
  // One rule for every optional key: null is the same as absent.
  const [id, interval, fields, channel = "quote", depth, last, resolution = DEFAULT_RESOLUTION] = OPTIONAL_KEYS.map(
    (key) => command[key] ?? undefined,
  );
  if (!isId(id))
    return { fault: "bad_message", message: `id must be a number or a text of at most ${MAX_ID_LENGTH} characters` };
  const own = id === undefined ? {} : { id };
  const fault = (code: ErrorCode, message: string): CommandFault => ({ fault: code, message, ...own });
  if (typeof op !== "string") return fault("bad_message", "op must be a text");
  switch (op) {
    case "ping":
      return { op, ...own };
    case "auth":
      if (typeof command.token !== "string") return fault("bad_message", "token must be a text");
      return { op, ...own, token: command.token };
    case "subscribe":
    case "unsubscribe": {
      if (!isTexts(symbols)) return fault("bad_message", "symbols must be a list of texts");
      if (typeof channel !== "string") return fault("bad_message", "channel must be a text");
      if (!isChannel(channel))
        return fault("unknown_channel", `no channel ${shown(channel)}; there are ${CHANNELS.join(" ")}`);
      if (channel === "bar" && !isResolution(resolution))
        return fault("invalid_resolution", `resolution must be one of ${RESOLUTIONS.join(" ")}`);
      const what = channel === "bar" ? { channel, resolution: resolution as Resolution } : { channel };
      const command = { ...own, ...(channel === "quote" ? {} : what), symbols };
      if (op === "unsubscribe") return { op, ...command };
      const subscribe: Subscribe = { op, ...command };
      if (interval !== undefined) {
        if (typeof interval !== "number") return fault("bad_message", "interval must be a number of milliseconds");
        if (!(interval >= 0 && interval <= MAX_INTERVAL))
          return fault("invalid_interval", `interval must be from 0 to ${MAX_INTERVAL} ms`);
        subscribe.interval = interval;
      }
      if (channel === "book" && depth !== undefined) {
        if (!isWhole(depth, 1, MAX_DEPTH))
          return fault("invalid_depth", `depth must be a whole number from 1 to ${MAX_DEPTH}`);
        subscribe.depth = depth;
      }
      if ((channel === "trade" || channel === "bar") && last !== undefined) {
        const most = channel === "bar" ? MAX_LAST_BARS : MAX_LAST_TRADES;
        if (!isWhole(last, 0, most)) return fault("invalid_last", `last must be a whole number from 0 to ${most}`);
        subscribe.last = last;
      }
      if (channel === "quote" && fields !== undefined) {
        if (!isTexts(fields) || fields.length === 0) return fault("bad_message", "fields must be a list of names");
        const unknown = fields.find((name) => fieldIndex(name) < 0);
        if (unknown !== undefined)
          return fault("unknown_field", `no field ${shown(unknown)}; there are ${FIELDS.join(" ")}`);
        if (new Set(fields).size < fields.length) return fault("bad_message", "fields must not be named twice");
        subscribe.fields = fields as Field[];
      }
      return subscribe;
    }
    default:
      return fault("unknown_op", `no op ${shown(op)}; there are subscribe unsubscribe ping auth`);
  }
}

/** A client's text for an error message: quoted and cut to the length of a symbol. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}

function isChannel(name: string): name is Channel {
  return (CHANNELS as readonly string[]).includes(name);
}

function isResolution(name: unknown): name is Resolution {
  return (RESOLUTIONS as readonly unknown[]).includes(name);
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isId(id: unknown): id is CommandId | undefined {
  if (typeof id === "string") return lengthOf(id) <= MAX_ID_LENGTH;
  return id === undefined || Number.isFinite(id);
}

/** The length in Unicode code points, as most languages and JSON Schema count it. */
function lengthOf(text: string): number {
  return text.length <= MAX_ID_LENGTH ? text.length : [...text].length;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}
