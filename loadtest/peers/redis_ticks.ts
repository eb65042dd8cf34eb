/**
 * Ticks on Redis for the peers that bring no bus of their own (`ws` and uWebSockets.js): all of one turn of the market in
 * one message, so that what Redis costs them is as little as can be.
 */

/** The channel. */
export const CHANNEL = "ticks";

/** Writes messages: for each tick the symbol's length (1 byte), the symbol, the payload's length (2 bytes), the payload. */
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

  /** What was added since the last time, as one message. */
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
