/**
 * Ticks to Centrifugo through its HTTP API, as the page "Server API walkthrough" advises for many messages: `batch`
 * with `"parallel": true`, "especially in case of using Redis engine". Such a batch has no order, so it contains a
 * symbol once; while a batch is in flight, a newer tick replaces the waiting one, as on Tickgate's bus. Without
 * `parallel` a batch waits for Redis at each tick, which is too slow for thousands of ticks per second.
 */
import { Agent, request } from "node:http";
import { jsonTick, msgpackTick } from "../payload.ts";
import type { Transport } from "./transport.ts";

/**
 * @param port of the HTTP API
 * @param format of the payload
 */
export async function centrifugoTransport(port: number, format: "json" | "msgpack"): Promise<Transport> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const target = { host: "127.0.0.1", port, path: "/api/batch", method: "POST", agent };
  /** The waiting command of each symbol. */
  const waiting = new Map<string, string>();
  let isBusy = false;

  const send = () => {
    if (isBusy || waiting.size === 0) return;
    isBusy = true;
    const body = `{"parallel":true,"commands":[${[...waiting.values()].join(",")}]}`;
    waiting.clear();
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    request({ ...target, headers }, (response) => {
      if (response.statusCode !== 200) throw new Error(`Centrifugo's API answered ${response.statusCode}`);
      response.resume();
      response.on("end", () => {
        isBusy = false;
        send();
      });
    }).end(body);
  };

  return {
    tick(symbol, number, seq, eventTime, values) {
      const data =
        format === "json"
          ? `"data":${jsonTick(number, seq, eventTime, values)}`
          : `"b64data":"${msgpackTick(number, seq, eventTime, values).toString("base64")}"`;
      waiting.set(symbol, `{"publish":{"channel":"${symbol}",${data}}}`);
    },
    flush: send,
  };
}
