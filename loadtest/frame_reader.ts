/**
 * A minimal WebSocket receiver: finds a server's frames in a stream of bytes. Accepts only unmasked frames without
 * extensions.
 */
import { createTarget, type Target } from "../src/msgpack/msgpack.ts";

/** Receives the frames. The bytes are valid only during the call. */
export interface FrameListener {
  /** @param isFinal whether it ends its message; always true from a gateway, not from other servers */
  frame(opcode: number, target: Target, start: number, end: number, isFinal: boolean): void;
}

/** The longest accepted frame, bytes; a gateway sends shorter ones. */
export const MAX_FRAME = 1 << 20;
const MAX_HEAD = 10;
const RESERVED = 0x70;
const MASKED = 0x80;
/** A buffer of at most this size is kept for the next partial frame, bytes. */
const KEPT = 4_096;
const NOTHING = createTarget(0);

export class FrameReader {
  readonly #listener: FrameListener;
  /** The start of an incomplete frame. */
  #rest: Target = NOTHING;
  #restLength = 0;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /**
   * Reads the bytes of `chunk` from `start` to `end`.
   * @throws Error when a frame is too long, masked, or uses an extension
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
    // Frees a large buffer: tens of thousands of connections would each keep one.
    if (this.#restLength === 0 && rest.bytes.length > KEPT) this.#rest = NOTHING;
  }

  /** Reports the complete frames, and returns where the first incomplete one starts. */
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

/** A client's frame: masked, as required, with zeros, which do not change the payload. */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new Error(`a message of ${length} bytes`);
  const head = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), payload]);
}
