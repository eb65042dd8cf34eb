/** The protocol of the `ws` and uWebSockets.js servers: clients send symbols in JSON and get MessagePack payloads. */
import type { Target } from "../../../src/msgpack/msgpack.ts";
import type { Decoder, Protocol, Wire } from "../../swarm/protocol.ts";
import { PayloadReader } from "./payload_reader.ts";

/** Symbols per message: fits into the 16 KiB that uWebSockets.js accepts. */
const SYMBOLS_PER_MESSAGE = 500;

class PlainDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #reader: PayloadReader;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#reader = new PayloadReader(wire);
  }

  opened(): void {
    const names = this.#wire.selection.names();
    for (let first = 0; first < names.length; first += SYMBOLS_PER_MESSAGE)
      this.#wire.send(Buffer.from(JSON.stringify(names.slice(first, first + SYMBOLS_PER_MESSAGE))), true);
  }

  message(target: Target, start: number): void {
    if (!this.#reader.msgpack(target, start)) this.#wire.reportFault("malformed");
  }
}

export function createProtocol(): Protocol {
  return { upgrade: { path: "/" }, decoder: (wire) => new PlainDecoder(wire) };
}
