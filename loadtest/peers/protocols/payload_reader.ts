/** Reads number, `seq` and time of a payload (payload.ts) without allocating an object. */
import type { Target } from "../../../src/msgpack/msgpack.ts";
import type { Wire } from "../../swarm/protocol.ts";
import { numberAt, VALUE_BYTES } from "../../swarm/tick_bytes.ts";

/** The MessagePack array head for number, `seq`, time and ten values. */
const ARRAY = 0x9d;
const OPEN = 0x5b;
const COMMA = 0x2c;
const DIGIT_0 = 0x30;

export class PayloadReader {
  readonly #wire: Wire;
  /** The read position in JSON. */
  #at = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Reports the MessagePack tick at `start` to the wire. @returns false where there is none */
  msgpack(target: Target, start: number): boolean {
    const { bytes } = target;
    if (bytes[start] !== ARRAY) return false;
    const seqAt = start + 1 + VALUE_BYTES[bytes[start + 1]];
    const timeAt = seqAt + VALUE_BYTES[bytes[seqAt]];
    return this.#report(numberAt(target, start + 1), numberAt(target, seqAt), numberAt(target, timeAt));
  }

  /** The same in JSON. */
  json({ bytes }: Target, start: number): boolean {
    if (bytes[start] !== OPEN) return false;
    this.#at = start + 1;
    return this.#report(this.#jsonNumber(bytes), this.#jsonNumber(bytes), this.#jsonNumber(bytes));
  }

  #report(number: number, seq: number, eventTime: number): boolean {
    const slot = this.#wire.selection.slotOf(number);
    if (!(slot >= 0 && seq > 0 && eventTime > 0)) return false;
    this.#wire.tick(slot, seq, eventTime);
    return true;
  }

  /** Reads an integer and the comma after it. */
  #jsonNumber(bytes: Uint8Array): number {
    let value = 0;
    let at = this.#at;
    for (; bytes[at] !== COMMA; at++) {
      const digit = bytes[at] - DIGIT_0;
      if (!(digit >= 0 && digit <= 9)) return Number.NaN;
      value = value * 10 + digit;
    }
    this.#at = at + 1;
    return value;
  }
}
