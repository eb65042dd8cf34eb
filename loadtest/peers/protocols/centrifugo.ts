/**
 * Centrifugo's client protocol, in JSON (one reply per line) and in Protobuf (length-prefixed replies).
 * Source: its file definitions/client.proto.
 */
import type { Target } from "../../../src/msgpack/msgpack.ts";
import type { Decoder, Protocol, ProtocolPlan, Wire } from "../../swarm/protocol.ts";
import { PayloadReader } from "./payload_reader.ts";

/** Commands per message: the server accepts 64 KiB. */
const COMMANDS_PER_MESSAGE = 500;
const NEW_LINE = 0x0a;
/** Protobuf tags: field number × 8 + 2, the wire type with a length. */
const REPLY_ERROR = 0x12;
const REPLY_PUSH = 0x22;
const PUSH_PUBLICATION = 0x22;
const PUSH_DISCONNECT = 0x5a;
const PUBLICATION_DATA = 0x22;
const DATA = Buffer.from('"data":');

class ProtobufDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #reader: PayloadReader;
  #at = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#reader = new PayloadReader(wire);
  }

  opened(): void {
    // id 1, connect {}
    this.#wire.send(command(Buffer.from([0x08, 1, REPLY_PUSH, 0])));
    const names = this.#wire.selection.names();
    for (let first = 0; first < names.length; first += COMMANDS_PER_MESSAGE)
      this.#wire.send(Buffer.concat(names.slice(first, first + COMMANDS_PER_MESSAGE).map(subscribe)));
  }

  message(target: Target, start: number, end: number): void {
    this.#at = start;
    while (this.#at < end) {
      const length = this.#varint(target.bytes);
      const replyEnd = this.#at + length;
      if (length === 0) this.#wire.send(Buffer.from([0]));
      else this.#reply(target, replyEnd);
      this.#at = replyEnd;
    }
  }

  #reply(target: Target, end: number): void {
    const push = this.#field(target.bytes, end, REPLY_PUSH, REPLY_ERROR);
    if (push < 0) return;
    const publication = this.#field(target.bytes, push, PUSH_PUBLICATION, PUSH_DISCONNECT);
    if (publication < 0) return;
    const data = this.#field(target.bytes, publication, PUBLICATION_DATA, 0);
    if (data < 0 || !this.#reader.msgpack(target, this.#at)) this.#wire.reportFault("malformed");
  }

  /** Moves to the content of a field and returns its end; -1 if absent. @param bad a field whose presence is a fault */
  #field(bytes: Uint8Array, end: number, wanted: number, bad: number): number {
    while (this.#at < end) {
      const tag = bytes[this.#at++];
      const value = this.#varint(bytes);
      if ((tag & 7) === 0) continue;
      if (tag === wanted) return this.#at + value;
      if (tag === bad)
        this.#wire.reportFault("error", Buffer.from(bytes.subarray(this.#at, this.#at + value)).toString());
      this.#at += value;
    }
    return -1;
  }

  #varint(bytes: Uint8Array): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[this.#at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
}

class JsonDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #reader: PayloadReader;
  /** The offset of the data in a push: the same for all channels with names of equal length. */
  #dataAt = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#reader = new PayloadReader(wire);
  }

  opened(): void {
    this.#send('{"id":1,"connect":{}}');
    const commands = this.#wire.selection
      .names()
      .map((channel, i) => JSON.stringify({ id: i + 2, subscribe: { channel } }));
    for (let first = 0; first < commands.length; first += COMMANDS_PER_MESSAGE)
      this.#send(commands.slice(first, first + COMMANDS_PER_MESSAGE).join("\n"));
  }

  message(target: Target, start: number, end: number): void {
    const { bytes } = target;
    for (let at = start; at < end; ) {
      let lineEnd = at;
      while (lineEnd < end && bytes[lineEnd] !== NEW_LINE) lineEnd++;
      if (lineEnd - at === 2) this.#send("{}");
      else this.#reply(target, at, lineEnd);
      at = lineEnd + 1;
    }
  }

  #reply(target: Target, start: number, end: number): void {
    const { bytes } = target;
    // The first letter distinguishes {"push":… from {"id":…: parsing each message would cost too much.
    if (bytes[start + 2] !== 0x70) {
      const text = bytes.toString("utf8", start, end);
      if (text.includes('"error":')) this.#wire.reportFault("error", text);
      return;
    }
    if (this.#reader.json(target, start + this.#dataAt)) return;
    this.#dataAt = bytes.subarray(start, end).indexOf(DATA) + DATA.length;
    if (!this.#reader.json(target, start + this.#dataAt))
      this.#wire.reportFault("malformed", bytes.toString("utf8", start, end));
  }

  #send(text: string): void {
    this.#wire.send(Buffer.from(text), true);
  }
}

function command(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(varint(content.length)), content]);
}

/** id, subscribe { channel } */
function subscribe(channel: string, index: number): Buffer {
  const name = Buffer.from(channel);
  const request = [0x0a, ...varint(name.length), ...name];
  return command(Buffer.from([0x08, ...varint(index + 2), 0x2a, ...varint(request.length), ...request]));
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Setting `format`: `json` or `protobuf`. */
export function createProtocol({ settings }: ProtocolPlan): Protocol {
  if (settings.format === "json")
    return { upgrade: { path: "/connection/websocket" }, decoder: (wire) => new JsonDecoder(wire) };
  const upgrade = { path: "/connection/websocket", subprotocol: "centrifuge-protobuf" };
  return { upgrade, decoder: (wire) => new ProtobufDecoder(wire) };
}
