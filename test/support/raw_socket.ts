/** A TCP connection that can send any bytes, valid WebSocket frames or not. */
import { EventEmitter } from "node:events";
import { connect, type Socket } from "node:net";
import { until } from "./gateway_process.ts";

/** A frame of a client: masked by default. Its length may be larger than its content. */
export function frame(
  opcode: number,
  payload: Uint8Array | string,
  { claimed, masked = true, first = 0x80 }: { claimed?: bigint; masked?: boolean; first?: number } = {},
): Buffer {
  const body = Buffer.from(payload);
  const length = claimed ?? BigInt(body.length);
  const mask = masked ? 0x80 : 0;
  let head: Buffer;
  if (length < 126n) head = Buffer.of(first | opcode, mask | Number(length));
  else if (length < 65_536n) head = Buffer.of(first | opcode, mask | 126, Number(length >> 8n), Number(length & 255n));
  else {
    head = Buffer.alloc(10);
    head.set([first | opcode, mask | 127]);
    head.writeBigUInt64BE(length, 2);
  }
  if (!masked) return Buffer.concat([head, body]);
  const key = Buffer.of(1, 2, 3, 4);
  return Buffer.concat([head, key, body.map((byte, index) => byte ^ key[index % 4])]);
}

export class RawSocket {
  readonly socket: Socket;
  readonly changes = new EventEmitter();
  /** All received bytes as one text: JSON messages can be found in it. */
  text = "";
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.changes.emit("change");
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.changes.emit("change");
    });
  }

  /** Connects and becomes a WebSocket. */
  static async open(port: number, subprotocol: string): Promise<RawSocket> {
    const raw = new RawSocket(port);
    raw.socket.write(
      `GET /v1/stream HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    );
    await raw.heard("hello");
    return raw;
  }

  async heard(text: string): Promise<void> {
    await until(this.changes, () => this.text.includes(text) || this.closed, text);
    if (!this.text.includes(text)) throw new Error(`the connection was closed before ${text}`);
  }

  untilClosed(): Promise<void> {
    return until(this.changes, () => this.closed, "the connection to be closed");
  }

  destroy(): void {
    this.socket.destroy();
  }
}
