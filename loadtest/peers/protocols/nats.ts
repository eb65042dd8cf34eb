/** NATS' client protocol over WebSocket: a stream of lines and payloads; messages may end anywhere in it. */
import { createTarget, type Target } from "../../../src/msgpack/msgpack.ts";
import type { Decoder, Protocol, Wire } from "../../swarm/protocol.ts";
import { PayloadReader } from "./payload_reader.ts";

const CR = 0x0d;
const SPACE = 0x20;
const CONNECT =
  'CONNECT {"verbose":false,"pedantic":false,"lang":"tickgate","version":"1","protocol":1,"echo":false}\r\n';

class NatsDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #reader: PayloadReader;
  /** The start of an incomplete line or payload. */
  #rest: Target = createTarget(0);
  #restLength = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#reader = new PayloadReader(wire);
  }

  opened(): void {
    const names = this.#wire.selection.names();
    this.#wire.send(Buffer.from(CONNECT + names.map((name, slot) => `SUB ${name} ${slot}\r\n`).join("")));
  }

  message(target: Target, start: number, end: number): void {
    if (this.#restLength === 0) {
      const read = this.#lines(target, start, end);
      if (read < end) this.#store(target, read, end);
      return;
    }
    this.#store(target, start, end);
    const rest = this.#rest;
    const length = this.#restLength;
    const read = this.#lines(rest, 0, length);
    rest.bytes.copyWithin(0, read, length);
    this.#restLength = length - read;
  }

  /** Reads all complete lines, and returns where the first incomplete one starts. */
  #lines(target: Target, start: number, end: number): number {
    const { bytes } = target;
    let at = start;
    while (at < end) {
      let lineEnd = at;
      while (lineEnd < end && bytes[lineEnd] !== CR) lineEnd++;
      if (lineEnd + 2 > end) break;
      if (bytes[at] !== 0x4d) {
        this.#control(bytes.toString("latin1", at, lineEnd));
        at = lineEnd + 2;
        continue;
      }
      // MSG SUBJECT SID LENGTH
      let length = 0;
      let digit = lineEnd - 1;
      for (let unit = 1; bytes[digit] !== SPACE; digit--, unit *= 10) length += (bytes[digit] - 0x30) * unit;
      const payload = lineEnd + 2;
      if (payload + length + 2 > end) break;
      if (!this.#reader.msgpack(target, payload)) this.#wire.reportFault("malformed");
      at = payload + length + 2;
    }
    return at;
  }

  #control(line: string): void {
    if (line === "PING") this.#wire.send(Buffer.from("PONG\r\n"));
    else if (line.startsWith("-ERR")) this.#wire.reportFault("error", line);
  }

  #store(target: Target, start: number, end: number): void {
    const needed = this.#restLength + end - start;
    if (needed > this.#rest.bytes.length) {
      const larger = createTarget(needed * 2);
      this.#rest.bytes.copy(larger.bytes, 0, 0, this.#restLength);
      this.#rest = larger;
    }
    target.bytes.copy(this.#rest.bytes, this.#restLength, start, end);
    this.#restLength = needed;
  }
}

export function createProtocol(): Protocol {
  return { upgrade: { path: "/" }, decoder: (wire) => new NatsDecoder(wire) };
}
