/** docs/asyncapi.yaml against real messages: every message that a gateway can send, in both subprotocols. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { decode } from "@msgpack/msgpack";
import { STATES } from "../src/base/tick.ts";
import { ERROR_CODES } from "../src/protocol/codes.ts";
import { type Command, type Failure, type Status, SUBPROTOCOLS, type Subprotocol } from "../src/protocol/messages.ts";
import { document, faults, kindOf } from "./support/asyncapi_document.ts";
import { ExampleMarket } from "./support/example_market.ts";
import { SECRET, sign } from "./support/tokens.ts";
import { WireClient } from "./support/wire_client.ts";

const COMMANDS = ["subscribe", "unsubscribe", "ping", "auth"];
/** Codes that this gateway never sends, since it requires no token. */
const UNPROVOKED = ["not_authenticated", "internal"];
const COMMANDS_PER_SECOND = 50;

/** A client that checks every message, sent or received, against the document. */
class Witness {
  readonly client: WireClient;
  /** All received messages, decoded. */
  readonly told: unknown[] = [];
  /** Received messages that the document does not allow. */
  readonly faults: string[] = [];
  /** Pings without an answer; undefined while each is answered immediately. */
  #unanswered: Buffer[] | undefined;

  private constructor(url: string, subprotocol: Subprotocol) {
    this.client = new WireClient(url, { protocols: [subprotocol], autoPong: false });
    const { socket } = this.client;
    socket.on("message", (data: Buffer, isBinary) => {
      assert.equal(isBinary, subprotocol === "tickgate.v1.msgpack");
      const message: unknown = isBinary ? decode(data) : JSON.parse(String(data));
      const kind = kindOf(message);
      this.told.push(message);
      if (COMMANDS.includes(kind) || !(kind in document.components.messages)) this.faults.push(`there is no ${kind}`);
      else if (faults(kind, message)) this.faults.push(`${faults(kind, message)}: ${JSON.stringify(message)}`);
    });
    socket.on("ping", (data: Buffer) => {
      if (this.#unanswered) this.#unanswered.push(data);
      else socket.pong(data);
    });
  }

  static async open(t: TestContext, url: string, subprotocol: Subprotocol): Promise<Witness> {
    const witness = new Witness(url, subprotocol);
    t.after(() => witness.client.close());
    await witness.client.heard("hello");
    return witness;
  }

  /** Sends what the document allows. */
  say(command: Command): void {
    assert.equal(faults(command.op, command), "");
    this.client.say(command);
  }

  /** Sends what the document does not allow, and waits for the error. */
  async blunder(command: { op: string; [member: string]: unknown }, code: Failure["code"]): Promise<void> {
    assert.ok(!COMMANDS.includes(command.op) || faults(command.op, command) !== "", JSON.stringify(command));
    const error = await this.client.ask(command, "error");
    assert.equal(error.code, code);
  }

  /** Waits for a status with this state of a symbol's quote. */
  async stands(symbol: string, state: string): Promise<void> {
    const isOf = (message: Status) => message.channel === undefined && message.symbols.includes(symbol);
    await this.client.heard("status", (message) => isOf(message) && message.state === state);
  }

  /** From now on it answers no pings, as a client that does not read. */
  hold(): void {
    this.#unanswered = [];
  }

  release(): void {
    for (const ping of this.#unanswered ?? []) this.client.socket.pong(ping);
    this.#unanswered = undefined;
  }
}

/** Commands that the document allows; the answers also reject symbols over the limit. */
async function converse(witness: Witness): Promise<void> {
  const { client } = witness;
  witness.say({ op: "subscribe", id: "patterns", symbols: ["V:*", "P:*"] });
  witness.say({ op: "subscribe", id: 2, symbols: ["V:A"], interval: 12.5, fields: ["last", "bid"] });
  witness.say({ op: "subscribe", symbols: ["L:1", "L:2", "L:3", "L:4", "L:5"], interval: 0 });
  await client.heard("subscribed", ({ rejected }) => rejected.some(({ code }) => code === "too_many_symbols"));
  witness.say({ op: "unsubscribe", id: -3.5, symbols: ["L:1", "L:2", "L:3", "L:4"] });
  await client.heard("unsubscribed", ({ id }) => id === -3.5);
  witness.say({ op: "unsubscribe", id: "", symbols: ["L:1"] });
  await client.heard("error", ({ code, id }) => code === "not_subscribed" && id === "");
  witness.say({ op: "ping" });
  witness.say({ op: "ping", id: "a" });
  await client.heard("pong", ({ id }) => id === "a");
}

async function blunders(witness: Witness): Promise<void> {
  await witness.blunder({ op: "subscribe" }, "bad_message");
  await witness.blunder({ op: "subscribe", symbols: "V:A" }, "bad_message");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], fields: [] }, "bad_message");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], fields: ["bid", "bid"] }, "bad_message");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], fields: ["price"] }, "unknown_field");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], interval: -1 }, "invalid_interval");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], channel: "news" }, "unknown_channel");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], channel: "book", depth: 0 }, "invalid_depth");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], channel: "bar", resolution: "2m" }, "invalid_resolution");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], channel: "bar", last: 5_001 }, "invalid_last");
  await witness.blunder({ op: "subscribe", symbols: ["V:A"], channel: "trade", last: 1.5 }, "invalid_last");
  await witness.blunder({ op: "buy", symbols: ["V:A"] }, "unknown_op");
  const lower = { op: "subscribe", symbols: ["no symbol"] };
  assert.notEqual(faults("subscribe", lower), "");
  const { rejected } = await witness.client.ask(lower, "subscribed");
  assert.equal(rejected[0].code, "invalid_symbol");
  // More than allowed, but too few to close the connection.
  for (let count = 0; count < COMMANDS_PER_SECOND * 3; count++) witness.say({ op: "ping", id: count });
  await witness.client.heard("error", ({ code }) => code === "too_many_commands");
}

/** Presents tokens: one that allows all subscriptions, one of another subject, and one that expires soon. */
async function authenticate(witness: Witness): Promise<void> {
  const { client } = witness;
  await witness.blunder({ op: "auth" }, "bad_message");
  const grants = [{ symbols: ["V:*", "P:*", "L:*"] }];
  assert.equal((await client.ask({ op: "auth", token: "none" }, "error")).code, "invalid_token");
  await client.ask({ op: "auth", token: await sign({ grants }) }, "authenticated");
  const { rejected } = await client.ask({ op: "subscribe", symbols: ["X:1"] }, "subscribed");
  assert.equal(rejected[0].code, "not_entitled");
  assert.equal((await client.ask({ op: "auth", token: await sign({ sub: "bob" }) }, "error")).code, "forbidden");
  await client.ask({ op: "auth", token: await sign({ grants }, 2) }, "authenticated");
  await client.heard("expiring");
}

test("every message of a real run is valid by the document; invalid ones are refused", {
  timeout: 180_000,
}, async (t) => {
  const limits = ["--max-symbols-per-connection", "5", "--commands-per-second", String(COMMANDS_PER_SECOND)];
  const tokens = ["--auth", "optional", "--jwt-secret", SECRET];
  const market = await ExampleMarket.open(t, "--heartbeat", "2000", ...limits, ...tokens);
  market.tick("V:A");
  await market.known("V:A");
  const witnesses = await Promise.all(SUBPROTOCOLS.map((name) => Witness.open(t, market.url, name)));
  const each = <T>(step: (witness: Witness) => Promise<T>) => Promise.all(witnesses.map(step));

  await each(converse);
  await each(({ client }) => client.tick(({ values }) => values.length === 2, "a tick of two fields"));
  market.tick("P:NEW");
  await each(({ client }) =>
    client.heard("subscribed", (message) => message.symbols.some(([name]) => name === "P:NEW")),
  );
  await each(({ client }) => client.tick(({ values }) => values.length === 10, "a tick of all fields"));
  market.tradeAndBook("V:A");
  await each(otherChannels);
  await each(authenticate);
  await each(blunders);
  await each(({ client }) => client.heard("heartbeat"));

  await market.stopFeed();
  await each((witness) => witness.stands("V:A", "stale"));
  await market.startFeed();
  market.tick("V:A");
  await each((witness) => witness.stands("V:A", "live"));
  await each((witness) => witness.stands("V:A", "gap"));

  for (const witness of witnesses) witness.hold();
  const ticking = setInterval(() => market.tick("V:A"), 20);
  t.after(() => clearInterval(ticking));
  await each(({ client }) => client.heard("quality", ({ state }) => state === "conflating"));
  clearInterval(ticking);
  for (const witness of witnesses) witness.release();
  await each(({ client }) => client.heard("quality", ({ state }) => state === "realtime"));

  market.endFeed();
  await each((witness) => witness.stands("V:A", "closed"));
  await Promise.all([market.stopGateway("SIGTERM"), each(({ client }) => client.heard("bye"))]);
  for (const { code } of await each(({ client }) => client.untilClosed())) assert.equal(faults("closeCode", code), "");

  for (const { told, faults, client } of witnesses) {
    assert.deepEqual(faults, [], client.socket.protocol);
    const kinds = Object.keys(document.components.messages).filter((name) => !COMMANDS.includes(name));
    assert.deepEqual(distinct(told.map(kindOf)), kinds.toSorted());
    const states = client.controls.flatMap((message) => (message.op === "status" ? [message.state] : []));
    assert.deepEqual(distinct(states), [...STATES, "gap"].toSorted());
    const codes = client.controls.flatMap((message) => {
      if (message.op === "error") return [message.code];
      return message.op === "subscribed" ? message.rejected.map(({ code }) => code) : [];
    });
    assert.deepEqual(
      distinct(codes),
      Object.keys(ERROR_CODES)
        .filter((code) => !UNPROVOKED.includes(code))
        .toSorted(),
    );
  }
  for (const message of witnesses.flatMap(({ told }) => told)) assertSpoiledIsRefused(message);
});

/** Trades, a book and bars, their end, and the answers. */
async function otherChannels(witness: Witness): Promise<void> {
  const { client } = witness;
  const got = (length: number) => client.ticks.some(({ values }) => values.length === length);
  for (const [id, values, channel, own] of [
    ["tape", 4, { channel: "trade" }, { last: 1 }],
    ["book", 2, { channel: "book" }, { depth: 3 }],
    ["bars", 7, { channel: "bar", resolution: "1s" }, { last: 5_000 }],
  ] as const) {
    witness.say({ op: "subscribe", id, symbols: ["V:A"], ...channel, ...own });
    await client.until(() => got(values), `the ${id}`);
    witness.say({ op: "unsubscribe", id: `no ${id}`, ...channel, symbols: ["V:A"] });
    await client.heard("unsubscribed", (message) => message.id === `no ${id}`);
  }
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted();
}

/** Members that some messages of a kind have. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  status: ["reason", "channel", "resolution", "missed"],
  unsubscribed: ["channel", "resolution"],
  subscribed: ["depth", "resolution"],
};

/** Removes and changes each member of a real message, and adds one: the schema must reject each result. */
function assertSpoiledIsRefused(message: unknown): void {
  const kind = kindOf(message);
  const refused = (spoiled: unknown) =>
    assert.notEqual(faults(kind, spoiled), "", `${kind}: ${JSON.stringify(spoiled)}`);
  if (Array.isArray(message)) {
    const [sentAt, [handle, seq, eventTime, ...values]] = message as [number, [number, number, number, ...number[]]];
    refused([sentAt]);
    refused([[handle, seq, eventTime, ...values]]);
    refused([sentAt, [handle, seq, eventTime]]);
    refused([sentAt, [handle, seq + 0.5, eventTime, ...values]]);
    refused([sentAt, [handle, seq, String(eventTime), ...values]]);
    refused([sentAt, [handle, seq, eventTime, "1.5"]]);
    refused([sentAt, [handle, seq, eventTime, ...new Array(11).fill(1)]]);
    return;
  }
  const members = message as Record<string, unknown>;
  refused({ ...members, more: 1 });
  for (const name of Object.keys(members)) {
    refused({ ...members, [name]: { an: "object" } });
    // A token may never expire.
    if (!(kind === "authenticated" && name === "expires")) refused({ ...members, [name]: null });
    const { [name]: _gone, ...rest } = members;
    if (name === "id" || OPTIONAL[kind]?.includes(name)) assert.equal(faults(kind, rest), "");
    else refused(rest);
  }
}
