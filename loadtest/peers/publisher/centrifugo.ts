/**
 * Ticks to Centrifugo through its HTTP API, as the page "Server API walkthrough" advises for many: `batch`, which
 * is worked off one after another. Symbols are spread over some lanes, each with one batch under way: a symbol's ticks keep
 * their order, and the API has enough to do at once. (With `"parallel": true` the order within a batch would be lost.)
 */
import { Agent, request } from "node:http";
import { jsonTick, msgpackTick } from "../payload.ts";
import type { Transport } from "./transport.ts";

const LANES = 16;
/** Commands in one batch, at most. */
const BATCH = 200;
/** What may wait in a lane; more is thrown away, the oldest first. */
const WAITING = 5_000;

class Lane {
  readonly #port: number;
  readonly #agent: Agent;
  #waiting: string[] = [];
  #isBusy = false;

  constructor(port: number, agent: Agent) {
    this.#port = port;
    this.#agent = agent;
  }

  add(command: string): void {
    this.#waiting.push(command);
    if (this.#waiting.length > WAITING) this.#waiting = this.#waiting.slice(-WAITING / 2);
  }

  send(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#isBusy = true;
    const body = `{"commands":[${this.#waiting.splice(0, BATCH).join(",")}]}`;
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const options = { host: "127.0.0.1", port: this.#port, path: "/api/batch", method: "POST", agent: this.#agent };
    request({ ...options, headers }, (response) => {
      if (response.statusCode !== 200) throw new Error(`Centrifugo's API has answered ${response.statusCode}`);
      response.resume();
      response.on("end", () => {
        this.#isBusy = false;
        this.send();
      });
    }).end(body);
  }
}

/**
 * @param port of the HTTP API
 * @param format how the clients are sent the payload
 */
export async function centrifugoTransport(port: number, format: "json" | "msgpack"): Promise<Transport> {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES });
  const lanes = Array.from({ length: LANES }, () => new Lane(port, agent));
  return {
    tick(symbol, number, seq, eventTime, values) {
      const data =
        format === "json"
          ? `"data":${jsonTick(number, seq, eventTime, values)}`
          : `"b64data":"${msgpackTick(number, seq, eventTime, values).toString("base64")}"`;
      lanes[number % LANES].add(`{"publish":{"channel":"${symbol}",${data}}}`);
    },
    flush() {
      for (const lane of lanes) lane.send();
    },
  };
}
