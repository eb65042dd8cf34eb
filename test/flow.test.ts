/** Clients that read too slowly, or not at all: bounded memory, bounded age, and current prices when they are back. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { SlowLink } from "./support/slow_link.ts";
import { WireClient } from "./support/wire_client.ts";

/** A market in which every symbol changes at an interval; its price counts the rounds. */
class Pump {
  readonly #gateway: GatewayProcess;
  readonly #symbols: readonly string[];
  readonly #timer: NodeJS.Timeout;
  round = 0;

  constructor(t: TestContext, gateway: GatewayProcess, symbols: number, every: number) {
    this.#gateway = gateway;
    this.#symbols = Array.from({ length: symbols }, (_, index) => `V:${index}`);
    this.#beat();
    this.#timer = setInterval(() => this.#beat(), every);
    t.after(() => this.stop());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    this.round++;
    const time = Date.now() * 1_000;
    const price = this.round + 0.5;
    const values = { bid: price, ask: price, last: price, open: price, volume: price };
    this.#gateway.ticks(this.#symbols.map((symbol) => ({ symbol, time, ...values })));
  }
}

async function open(t: TestContext): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.open();
  t.after(() => gateway.close());
  return gateway;
}

test("a client that stops reading costs bounded memory, and has current prices within a second after it continues", {
  timeout: 60_000,
}, async (t) => {
  const gateway = await open(t);
  const pump = new Pump(t, gateway, 300, 100);
  const client = await WireClient.open(gateway.url, "tickgate.v1.msgpack");
  t.after(() => client.close());
  await client.subscribe(["V:*"], { interval: 0 });
  await client.tick(({ values }) => values[0] === 10.5, "ten rounds");
  client.socket.pause();
  const before = await gateway.metric("tickgate_bytes_out_total");
  // Stalled: two samples, some rounds apart, are equal. Control messages (quality) are a few bytes.
  let [last, round] = [before, pump.round];
  const stalled = async () => {
    const now = await gateway.metric("tickgate_bytes_out_total");
    if (pump.round < round + 10) return false;
    const still = now - last < 500;
    [last, round] = [now, pump.round];
    return still;
  };
  await polled(stalled, (still) => still, "the gateway to send nothing more");
  const unread = last - before;
  t.diagnostic(`${unread} bytes in flight to a client that stopped`);
  assert.ok(unread < 2_200_000, `${unread} bytes`);
  const heard = client.ticks.length;
  await polled(
    async () => pump.round,
    (now) => now >= round + 20,
    "more rounds of the market",
  );
  assert.ok((await gateway.metric("tickgate_bytes_out_total")) - last < 1_000, "and it sends nothing more");
  assert.equal(client.ticks.length, heard, "nothing is read meanwhile");

  const [resumedAt, roundThen] = [performance.now(), pump.round];
  client.socket.resume();
  const current = await client.tick(({ values }) => (values[0] ?? 0) >= roundThen, "a current price");
  const took = current.at - resumedAt;
  t.diagnostic(`current after ${Math.round(took)} ms`);
  assert.ok(took < 1_000, `${took} ms`);
  pump.stop();
  const end = pump.round + 0.5;
  const reached = () => new Set(client.ticks.filter(({ values }) => values[0] === end).map((tick) => tick.handle)).size;
  await client.until(() => reached() === 300, "every symbol's last price");
  await client.heard("quality", ({ state, reason }) => state === "conflating" && reason === "client");
  await client.heard("quality", ({ state }) => state === "realtime");
});

test("a 30 KB/s reader that is offered ten times as much never sees a price older than 3 s", {
  timeout: 60_000,
}, async (t) => {
  const gateway = await open(t);
  const pump = new Pump(t, gateway, 550, 100);
  await gateway.known("V:549");
  const link = await SlowLink.open(gateway.port, 30_000);
  t.after(() => link.close());
  const client = await WireClient.open(link.url, "tickgate.v1.msgpack");
  t.after(() => client.close());
  let oldest = 0;
  let heard = 0;
  client.changes.on("change", () => {
    for (; heard < client.ticks.length; heard++)
      oldest = Math.max(oldest, Date.now() - client.ticks[heard].eventTime / 1_000);
  });
  await client.subscribe(["V:*"], { interval: 100 });
  const from = pump.round;
  await client.until(() => pump.round >= from + 80, "eight seconds");
  const seconds = (pump.round - from) / 10;
  t.diagnostic(`oldest price ${Math.round(oldest)} ms, ${Math.round(client.ticks.length / seconds)} ticks a second`);
  assert.ok(oldest < 3_000, `${oldest} ms`);
  assert.ok(client.ticks.length / seconds > 200, `${client.ticks.length} ticks in ${seconds} s`);
  const quality = await client.heard("quality");
  assert.deepEqual([quality.state, quality.reason], ["conflating", "client"]);
  assert.ok(quality.interval > 100);
  // Conflated, not queued: several are left out between two ticks of a symbol.
  const [{ handle }] = client.ticks;
  const seqs = client.ticks.filter((tick) => tick.handle === handle).map((tick) => tick.seq);
  assert.ok(seqs.every((seq, index) => index === 0 || seq > seqs[index - 1]));
  assert.ok(seqs.length >= 2 && seqs.at(-1)! - seqs[0] > seqs.length * 2, `${seqs}`);
});
