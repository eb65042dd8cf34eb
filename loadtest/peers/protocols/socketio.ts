/**
 * Socket.IO's protocol over Engine.IO's, with the default parser (JSON) or the MessagePack one. Clients join rooms with
 * the event `subscribe` of servers/socketio.ts.
 */
import { pack } from "msgpackr";
import type { Target } from "../../../src/msgpack/msgpack.ts";
import type { Decoder, Protocol, ProtocolPlan, Wire } from "../../swarm/protocol.ts";
import { PayloadReader } from "./payload_reader.ts";

/** Engine.IO's packet types: open, ping, message; Socket.IO's, after a message's digit: connect, event. */
const OPEN = 0x30;
const PING = 0x32;
const MESSAGE = 0x34;
const CONNECT = 0x30;
const EVENT = 0x32;
const BEFORE_TICK = Buffer.from('42["tick",');
/** In MessagePack: the event name, which precedes the value. */
const NAME = Buffer.from([0xa4, ...Buffer.from("tick")]);

class JsonDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #reader: PayloadReader;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#reader = new PayloadReader(wire);
  }

  opened(): void {}

  message(target: Target, start: number): void {
    const { bytes } = target;
    if (bytes[start] === MESSAGE && bytes[start + 1] === EVENT) {
      if (!this.#reader.json(target, start + BEFORE_TICK.length)) this.#wire.reportFault("malformed");
    } else if (bytes[start] === OPEN) this.#send("40");
    else if (bytes[start] === PING) this.#send("3");
    else if (bytes[start] === MESSAGE && bytes[start + 1] === CONNECT)
      this.#send(`42${JSON.stringify(["subscribe", this.#wire.selection.names()])}`);
    else this.#wire.reportFault("unknown packet");
  }

  #send(text: string): void {
    this.#wire.send(Buffer.from(text), true);
  }
}

class MsgpackDecoder implements Decoder {
  readonly #wire: Wire;
  readonly #reader: PayloadReader;
  #isConnected = false;
  /** The offset of the value in a packet, the same in all packets. */
  #valueAt = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.#reader = new PayloadReader(wire);
  }

  opened(): void {}

  message(target: Target, start: number, end: number, isText: boolean): void {
    if (isText) this.#engine(target.bytes[start]);
    else if (this.#isConnected) this.#event(target, start, end);
    else {
      // The first packet is the answer to the connect packet.
      this.#isConnected = true;
      this.#wire.send(pack({ type: 2, nsp: "/", data: ["subscribe", this.#wire.selection.names()] }));
    }
  }

  #engine(type: number): void {
    if (type === OPEN) this.#wire.send(pack({ type: 0, nsp: "/" }));
    else if (type === PING) this.#wire.send(Buffer.from("3"), true);
    else this.#wire.reportFault("unknown packet");
  }

  #event(target: Target, start: number, end: number): void {
    if (this.#valueAt === 0) this.#valueAt = target.bytes.subarray(start, end).indexOf(NAME) + NAME.length;
    if (!this.#reader.msgpack(target, start + this.#valueAt)) this.#wire.reportFault("malformed");
  }
}

/** Setting `parser`: `json` or `msgpack`. */
export function createProtocol({ settings }: ProtocolPlan): Protocol {
  const upgrade = { path: "/socket.io/?EIO=4&transport=websocket" };
  return {
    upgrade,
    decoder: (wire) => (settings.parser === "msgpack" ? new MsgpackDecoder(wire) : new JsonDecoder(wire)),
  };
}
