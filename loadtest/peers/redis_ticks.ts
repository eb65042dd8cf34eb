/**
 * Ticks on Redis for the peers without their own bus (`ws` and uWebSockets.js): one message per market step, which
 * costs the least in Redis.
 */

/** The Redis channel. */
export const CHANNEL = "ticks";

/**
 * Writes messages: for each tick the symbol's length (1 byte), the symbol, the payload's length (2 bytes), the payload.
 */
export class TickWriter {
  #parts: Buffer[] = [];

  /** @param symbol at most 64 bytes */
  add(symbol: string, payload: Uint8Array): void {
    const head = Buffer.alloc(symbol.length + 3);
    head[0] = symbol.length;
    head.write(symbol, 1, "latin1");
    head.writeUInt16BE(payload.length, symbol.length + 1);
    this.#parts.push(head, Buffer.from(payload));
  }

  /** Returns the ticks since the last call as one message. */
  take(): Buffer {
    const message = Buffer.concat(this.#parts);
    this.#parts = [];
    return message;
  }
}

/** Reads a message: a call for each tick. The payload is a view of the message. */
export function readTicks(message: Buffer, tick: (symbol: string, payload: Buffer) => void): void {
  let at = 0;
  while (at < message.length) {
    const symbolEnd = at + 1 + message[at];
    const symbol = message.toString("latin1", at + 1, symbolEnd);
    const end = symbolEnd + 2 + message.readUInt16BE(symbolEnd);
    tick(symbol, message.subarray(symbolEnd + 2, end));
    at = end;
  }
}
