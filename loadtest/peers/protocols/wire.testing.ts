/** A connection that records the calls of its decoder. */
import { createTarget, type Target } from "../../../src/msgpack/msgpack.ts";
import type { Decoder, Protocol, Wire } from "../../swarm/protocol.ts";
import { Selection } from "../../swarm/selection.ts";

export const MARKET = ["SIM:S0000", "SIM:S0001"];

export class RecordingWire implements Wire {
  readonly localIndex = 0;
  readonly reader = "healthy";
  readonly now = 0;
  readonly ownDelay = 0;
  readonly selection = new Selection(MARKET, 0, MARKET.length);
  readonly decoder: Decoder;
  readonly sent: (string | Buffer)[] = [];
  readonly ticks: [slot: number, seq: number, eventTime: number][] = [];
  readonly faults: string[] = [];

  constructor(protocol: Protocol) {
    this.decoder = protocol.decoder(this);
  }

  /** Passes a message to the decoder: text, or hexadecimal bytes where `isHex`. Other bytes surround it. */
  receive(message: string, isHex = false): void {
    const bytes = Buffer.from(message, isHex ? "hex" : "utf8");
    const target: Target = createTarget(bytes.length + 8);
    target.bytes.fill(0xff);
    bytes.copy(target.bytes, 3);
    this.decoder.message(target, 3, 3 + bytes.length, !isHex);
  }

  send(payload: Uint8Array, isText = false): void {
    this.sent.push(isText ? Buffer.from(payload).toString() : Buffer.from(payload));
  }

  tick(slot: number, seq: number, eventTime: number): void {
    this.ticks.push([slot, seq, eventTime]);
  }

  seqOf(): number {
    return 0;
  }

  resetSeq(): void {}

  reportFault(name: string): void {
    this.faults.push(name);
  }

  countNote(): void {}

  streamTick(): void {}

  addMissed(): void {}
}
