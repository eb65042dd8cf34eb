/** Ticks to NATS over TCP, in its own protocol: one `PUB` per tick, one write per market step. */
import { once } from "node:events";
import { connect } from "node:net";
import { msgpackTick } from "../payload.ts";
import type { Transport } from "./transport.ts";

/** @param port of the server's TCP clients */
export async function natsTransport(port: number): Promise<Transport> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(socket, "connect");
  socket.write('CONNECT {"verbose":false,"pedantic":false,"lang":"tickgate","version":"1","protocol":1}\r\n');
  socket.on("data", (data) => {
    if (data.includes("PING\r\n")) socket.write("PONG\r\n");
  });
  let parts: Buffer[] = [];
  const end = Buffer.from("\r\n");
  return {
    tick(symbol, number, seq, eventTime, values) {
      const payload = msgpackTick(number, seq, eventTime, values);
      parts.push(Buffer.from(`PUB ${symbol} ${payload.length}\r\n`), payload, end);
    },
    flush() {
      socket.write(Buffer.concat(parts));
      parts = [];
    },
  };
}
