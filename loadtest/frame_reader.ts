/**
 * The receiving end of a WebSocket, as lean as can be: finds the frames of a server in a stream of bytes. Only what a
 * server sends: unmasked, and without extensions.
 */
import { createTarget, type Target } from "../src/msgpack/msgpack.ts";

/** Who is told of frames. The bytes are good during the call only. */
export interface FrameListener {
  /** @param isFinal whether it ends its message; a gateway sends no other, other servers may */
  frame(opcode: number, target: Target, start: number, end: number, isFinal: boolean): void;
}

/** The longest frame that is read, bytes: nothing that a gateway sends is as long. */
export const MAX_FRAME = 1 << 20;
const MAX_HEAD = 10;
const RESERVED = 0x70;
const MASKED = 0x80;
/** The memory that is kept for the next beginning of a frame, bytes. */
const KEPT = 4_096;
const NOTHING = createTarget(0);

export class FrameReader {
  readonly #listener: FrameListener;
  /** The beginning of a frame whose end has not come. */
  #rest: Target = NOTHING;
  #restLength = 0;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /**
   * Takes the bytes of `chunk` from `start` to `end`.
   * @throws Error when a frame is longer than any that a gateway sends, or none that a server may send to us
   */
  read(chunk: Target, start: number, end: number): void {
    if (this.#restLength === 0) {
      const read = this.#frames(chunk, start, end);
      if (read < end) this.#store(chunk, read, end);
      return;
    }
    this.#store(chunk, start, end);
    const rest = this.#rest;
    const length = this.#restLength;
    const read = this.#frames(rest, 0, length);
    rest.bytes.copyWithin(0, read, length);
    this.#restLength = length - read;
    // With ten thousands of connections, what each had needed once adds up.
    if (this.#restLength === 0 && rest.bytes.length > KEPT) this.#rest = NOTHING;
  }

  /** Tells of the whole frames, and returns where the first begins that is not. */
  #frames(target: Target, start: number, end: number): number {
    const { bytes } = target;
    let at = start;
    while (end - at >= 2) {
      let length = bytes[at + 1];
      let payload = at + 2;
      if ((bytes[at] & RESERVED) !== 0 || length >= MASKED)
        throw new Error("a frame that is masked, or of an extension");
      if (length === 126) {
        if (end - at < 4) break;
        length = bytes.readUInt16BE(at + 2);
        payload = at + 4;
      } else if (length === 127) {
        if (end - at < MAX_HEAD) break;
        length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
        payload = at + MAX_HEAD;
      }
      if (length > MAX_FRAME) throw new Error(`a frame of ${length} bytes`);
      if (payload + length > end) break;
      this.#listener.frame(bytes[at] & 0x0f, target, payload, payload + length, bytes[at] >= 0x80);
      at = payload + length;
    }
    return at;
  }

  #store(chunk: Target, start: number, end: number): void {
    const needed = this.#restLength + end - start;
    if (needed > this.#rest.bytes.length) {
      const larger = createTarget(needed * 2);
      this.#rest.bytes.copy(larger.bytes, 0, 0, this.#restLength);
      this.#rest = larger;
    }
    chunk.bytes.copy(this.#rest.bytes, this.#restLength, start, end);
    this.#restLength = needed;
  }
}

/** A frame as a client must send it: masked, here with zeros, which leave the payload as it is. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new Error(`a message of ${length} bytes`);
  const head = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), payload]);
}
