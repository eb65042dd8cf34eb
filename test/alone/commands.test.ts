/** The most expensive commands of one client, beside a healthy client of a real gateway. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { polled, ServerProcess } from "../support/gateway_process.ts";
import { WireClient } from "../support/wire_client.ts";
import { Witness } from "../support/witness.ts";

const SYMBOLS = 20_000;
/** The longest wait of the healthy client for an answer, ms. */
const LONGEST = 250;
/** The largest growth of the gateway, MB. */
const GROWTH = 150;

let gateway: ServerProcess;
let witness: Witness;
/** Its size at the start, MB. */
let megabytes: number;

before(async () => {
  const feed = `sim:?symbols=${SYMBOLS}&rate=5000`;
  gateway = await ServerProcess.open("all", "--port", "0", "--admin-port", "0", "--feed", feed);
  await gateway.known("SIM:S19999");
  witness = await Witness.open(gateway.url, ["SIM:S00000", "SIM:S19999"]);
  megabytes = residentMegabytes();
});
after(async () => {
  await witness.close();
  await gateway.close();
});

function residentMegabytes(): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8")) as RegExpExecArray;
  return Number(kilobytes) / 1_024;
}

/** Sends a command, and waits for the last part of its answer. @returns the symbols in all parts */
async function answered(client: WireClient, command: Record<string, unknown>): Promise<number> {
  const id = `#${client.controls.length}`;
  client.say({ ...command, id });
  const parts = () => client.controls.filter((message) => "id" in message && message.id === id);
  await client.until(() => parts().some((message) => !("more" in message)), "the last part of an answer");
  return parts().reduce((sum, message) => sum + ("symbols" in message ? message.symbols.length : 0), 0);
}

async function checkWitness(what: string): Promise<void> {
  const { worst, closed } = await witness.seen();
  assert.equal(closed, undefined, what);
  assert.ok(worst <= LONGEST, `${what}: ${Math.round(worst)} ms until an answer`);
  const growth = residentMegabytes() - megabytes;
  assert.ok(growth <= GROWTH, `${what}: ${Math.round(growth)} MB more`);
}

const texts = (count: number, textOf: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => textOf(index));

test("no single command delays other clients", async () => {
  const client = await WireClient.open(gateway.url, "tickgate.v1.msgpack");
  assert.equal(await answered(client, { op: "subscribe", symbols: ["*"], interval: 1_000 }), SYMBOLS);
  await checkWitness("all symbols");
  await answered(client, { op: "unsubscribe", symbols: texts(10_000, () => "A*") });
  await answered(client, {
    op: "unsubscribe",
    symbols: texts(4_500, (index) => `A${index.toString(36)}*`.toUpperCase()),
  });
  await checkWitness("thousands of patterns");
  const patterns = texts(256, (index) => `SIM:S${String(index).padStart(3, "0")}*`);
  assert.equal(await answered(client, { op: "subscribe", symbols: patterns, interval: 500 }), SYMBOLS);
  await checkWitness("256 patterns");
  assert.equal(await answered(client, { op: "unsubscribe", symbols: ["*"] }), SYMBOLS);
  await checkWitness("an end to all");
  client.close();
});

test("a client that changes all of its subscriptions repeatedly gets bounded answers", async () => {
  const client = await WireClient.open(gateway.url, "tickgate.v1.msgpack");
  let granted = 0;
  client.socket.on("message", () => {
    for (const message of client.controls.splice(0)) if (message.op === "subscribed") granted += message.symbols.length;
  });
  for (let round = 0; round < 200; round++) {
    client.say({ op: "subscribe", symbols: ["*"], interval: 60_000 + (round % 2) });
    // The rate of the attack: below the limit on commands a second.
    await sleep(15);
  }
  // The first burst, the symbols allowed in the seconds after it, and a command that had begun.
  assert.ok(granted <= 2 * SYMBOLS + 5_000 * 5 + SYMBOLS, `${granted} symbols granted`);
  await checkWitness("moved again and again");
  client.close();
});

test("many clients at once, some of which do not read, do not delay a healthy one", async () => {
  const clients = await Promise.all(texts(100, String).map(() => WireClient.open(gateway.url)));
  const names = texts(1_500, (index) => `SIM:S${String((index * 7) % SYMBOLS).padStart(5, "0")}`);
  for (const client of clients.slice(0, 25)) client.socket.pause();
  for (let round = 0; round < 5; round++) {
    for (const client of clients)
      client.say({ op: "subscribe", symbols: [...names, "SIM:*"], interval: 60_000 + round });
    // The rate of the attack: each round meets the work of the one before.
    await sleep(200);
  }
  await polled(
    async () => (await witness.seen()).answers,
    (answers) => answers > 0,
    "answers",
  );
  await checkWitness("100 clients");
  for (const client of clients) client.close();
  await polled(
    () => gateway.metric("tickgate_connections"),
    (count) => count === 1,
    "the connections to end",
  );
  await checkWitness("100 clients that leave");
});

test("a gateway that was stopped does not close clients for the commands that they sent meanwhile", async () => {
  const client = await WireClient.open(gateway.url);
  gateway.signal("SIGSTOP");
  for (let round = 0; round < 50; round++) {
    for (let count = 0; count < 9; count++) client.say({ op: "ping", id: round * 9 + count });
    // The rate of a client that behaves, below the limit of 100 a second: for the 5 s that the gateway is stopped.
    await sleep(100);
  }
  gateway.signal("SIGCONT");
  await client.heard("pong", ({ id }) => id === 449);
  assert.equal(client.closed, undefined);
  assert.equal(client.controls.filter(({ op }) => op === "error").length, 0);
  client.close();
});
