/**
 * Attempts to see what is not granted, over real sockets: commands, patterns, batches, HTTP, while tokens and the
 * policy change and everything is broadcast at interval 0. Each attempt is made twice: for symbols that exist and are
 * hidden, and for symbols that do not exist. The answers must be the same. ATTEMPTS=N makes another number of them.
 */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GatewayProcess, polled } from "../support/gateway_process.ts";
import { SECRET, sign } from "../support/tokens.ts";
import { SECRET_VALUE, Violations, WatchedClient } from "../support/watched_client.ts";

const ATTEMPTS = Number(process.env.ATTEMPTS ?? 100_000);
/** However fast the attempts are, the policy and the tokens change so often. */
const POLICY_CHANGES = 10;
const TOKEN_CHANGES = 200;
/** No run takes longer, ms. */
const LONGEST = 110_000;
const DELAY = 600;
const SYMBOLS = 20;
/** The medians of the times until an answer, hidden to not existing, may differ by this factor, of so many or more. */
const SAME_TIME = 1.5;
const MOST_TIMES = 200;

const LOW = [{ symbols: ["PUB:*"] }, { symbols: ["LATE:*"], delay: DELAY }];
const HIGH = [{ symbols: ["PUB:*", "LATE:*", "SHIFT:*"] }];
const policyOf = (shifting: unknown) => ({
  roles: {
    anonymous: { grants: LOW },
    low: { grants: LOW },
    high: { grants: HIGH },
    shifting: { grants: shifting },
    owner: { grants: [{ symbols: ["*"] }] },
  },
});

const numbered = (prefix: string) =>
  Array.from({ length: SYMBOLS }, (_, index) => `${prefix}${String(index).padStart(2, "0")}`);
/** These exist, and their names with B instead of A do not. */
const HIDDEN = numbered("SECRET:A");
const toAbsent = (text: string) => text.replaceAll("SECRET:A", "SECRET:B");
const toHidden = (text: string) => text.replaceAll("SECRET:B", "SECRET:A");

const any = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)];
const some = <T>(values: readonly T[]): T[] =>
  Array.from({ length: 1 + Math.floor(Math.random() * 4) }, () => any(values));

/** The median of the times until an answer. */
class Times {
  readonly #millis: number[] = [];

  add(millis: number): void {
    this.#millis.push(millis);
  }

  get count(): number {
    return this.#millis.length;
  }

  get median(): number {
    return this.#millis.toSorted((a, b) => a - b)[this.#millis.length >> 1] ?? 0;
  }
}

class Attack {
  readonly violations = new Violations();
  readonly times = { socket: [new Times(), new Times()], http: [new Times(), new Times()] } as const;
  readonly #gateway: GatewayProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #startedAt = performance.now();
  attempts = 0;
  policyChanges = 0;
  tokenChanges = 0;

  constructor(t: TestContext, gateway: GatewayProcess) {
    this.#gateway = gateway;
    t.after(() => this.#agent.destroy());
  }

  get isOver(): boolean {
    if (performance.now() - this.#startedAt > LONGEST) return true;
    return this.attempts >= ATTEMPTS && this.policyChanges >= POLICY_CHANGES && this.tokenChanges >= TOKEN_CHANGES;
  }

  async open(name: string, subprotocol: "tickgate.v1.json" | "tickgate.v1.msgpack", token?: string) {
    return WatchedClient.open(this.#gateway.url, subprotocol, {
      name,
      token,
      delay: DELAY,
      violations: this.violations,
    });
  }

  /** Asks for a hidden symbol and for one that does not exist, in either order, and compares. */
  async compare<T>(
    ask: (text: (hidden: string) => string) => Promise<T>,
    [hiddenTimes, absentTimes]: readonly [Times, Times],
    what: string,
  ): Promise<void> {
    const answers: string[] = [];
    for (const isHidden of Math.random() < 0.5 ? [true, false] : [false, true]) {
      const begun = performance.now();
      const answer = await ask(isHidden ? (text) => text : toAbsent);
      (isHidden ? hiddenTimes : absentTimes).add(performance.now() - begun);
      answers.push(toHidden(JSON.stringify(answer)));
    }
    this.attempts++;
    if (answers[0] !== answers[1]) this.violations.add(`answers to ${what} differ: ${answers[0]} and ${answers[1]}`);
  }

  /**
   * One command about hidden symbols, whose answer does not depend on what is granted meanwhile.
   * @param isAlone whether nothing else is asked at the connection meanwhile
   */
  async command(client: WatchedClient, isAlone: boolean): Promise<void> {
    const op = isAlone && Math.random() < 0.25 ? "unsubscribe" : "subscribe";
    // What is public would end with the first of the two commands.
    const texts = [...HIDDEN, "SECRET:A*", "SECRET:A0*", "SECRET:A01*", "SECRET:A"];
    const symbols = some(op === "subscribe" ? [...texts, "PUB:00", "PUB:01", "PUB:0*"] : texts);
    if (!symbols.some((text) => text.startsWith("SECRET:"))) symbols.push(any(HIDDEN));
    const more = any<Record<string, unknown>>([
      { interval: 0 },
      { interval: 0 },
      { interval: 50 },
      { interval: 0, fields: ["bid"] },
      { interval: -1 },
      { fields: ["none"] },
      { channel: "book" },
    ]);
    await this.compare(
      async (text) => {
        const parts = await client.ask({ op, symbols: symbols.map(text), ...more });
        // The order of what is public depends on what was subscribed before.
        return parts.map(({ id: _, ...part }) =>
          "symbols" in part ? { ...part, symbols: part.symbols.toSorted() } : part,
        );
      },
      this.times.socket,
      `${client.name} ${op} ${symbols.join()} ${JSON.stringify(more)}`,
    );
  }

  /** One command about symbols that are granted at times; what it may bring, the client checks. */
  async shifting(client: WatchedClient): Promise<void> {
    const isDenied = client.deniedSince !== undefined;
    const op = Math.random() < 0.9 ? "subscribe" : "unsubscribe";
    const symbols = some(["SHIFT:*", "SHIFT:0*", "SHIFT:00", "SHIFT:01", "LATE:*", "LATE:00", "*", "S*", "SECRET:*"]);
    await client.ask({ op, symbols, interval: any([0, 0, 20]) });
    if (isDenied) this.attempts++;
  }

  async http(token: string | undefined): Promise<void> {
    const path = any([
      () => `/v1/symbols?prefix=${any(["SECRET:A", "SECRET:A0", "SECRET:A01"])}`,
      () => `/v1/ticks?symbols=${some([...HIDDEN, "SECRET:A*", "SECRET:A0*"]).join(",")}`,
      () => `/v1/ticks?symbols=${any(HIDDEN)},PUB:00,SECRET:A*`,
      () => `/metrics?symbol=${any(HIDDEN)}`,
      () => `/v1/events?symbols=${any(HIDDEN)}`,
      () => `/v1/bars?symbol=${any(HIDDEN)}`,
      () => `/trace?symbol=${any(HIDDEN)}`,
      () => `/v1/symbols/${any(HIDDEN)}`,
    ])();
    await this.compare(
      async (text) => {
        const { status, headers, body } = await this.#get(text(path), token);
        // What is public ticks on meanwhile, and so the length changes.
        const isPublic = path.includes("PUB:");
        const { date: _, "content-length": length, ...rest } = headers;
        const data = body.startsWith("{") ? (JSON.parse(body) as Record<string, unknown>) : body;
        if (typeof data === "object") delete data.time;
        if (typeof data === "object" && isPublic)
          data.ticks = (data.ticks as { symbol: string }[]).map(({ symbol }) => symbol);
        return { status, rest, length: isPublic ? undefined : length, data };
      },
      this.times.http,
      path,
    );
  }

  /** What is late or denied, over HTTP. @param token one that always has the lower rights */
  async httpLate(token: string | undefined): Promise<void> {
    const { body } = await this.#get(`/v1/ticks?symbols=${any(["LATE:*,SHIFT:*", "LATE:00,SHIFT:00", "*"])}`, token);
    const now = Date.now();
    this.attempts++;
    for (const { symbol, bid } of (JSON.parse(body) as { ticks: { symbol: string; bid: number }[] }).ticks) {
      const isLate = symbol.startsWith("LATE:") && now - bid >= DELAY - 5;
      if (!isLate && !symbol.startsWith("PUB:")) this.violations.add(`over HTTP: ${symbol}, ${now - bid} ms old`);
    }
  }

  #get(path: string, token?: string): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      const { port } = this.#gateway;
      const asked = request({ host: "127.0.0.1", port, path, headers, agent: this.#agent }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
        response.on("end", () => {
          if (body.includes(String(SECRET_VALUE))) this.violations.add(`a hidden value over HTTP: ${body}`);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        });
      });
      asked.on("error", reject).end();
    });
  }

  /** Whether a role sees shifting symbols now. */
  async sees(token: string): Promise<boolean> {
    const { body } = await this.#get("/v1/symbols?prefix=SHIFT:", token);
    return (JSON.parse(body) as { symbols: string[] }).symbols.length > 0;
  }
}

test(`${ATTEMPTS} attempts to see what is not granted: none succeeds, and nothing shows that it exists`, {
  timeout: LONGEST + 60_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-attack-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.json");
  const write = (policy: unknown) => {
    writeFileSync(`${path}.new`, JSON.stringify(policy));
    renameSync(`${path}.new`, path);
  };
  write(policyOf(LOW));
  // The limits are tested elsewhere: here they would only make attempts slower.
  const gateway = await GatewayProcess.open(
    ...["--auth", "optional", "--jwt-secret", SECRET, "--policy", path, "--delay-sample-interval", "100"],
    ...["--commands-per-second", "100000", "--command-symbols-per-second", "10000000"],
    ...["--http-rate", "1000000", "--http-rate-per-address", "1000000"],
  );
  t.after(() => gateway.close());
  const names = [...HIDDEN, ...["PUB:", "SHIFT:", "LATE:"].flatMap(numbered)];
  const priceOf = (symbol: string) => (symbol.startsWith("SECRET:") ? SECRET_VALUE : Date.now());
  const publish = (symbols: readonly string[]) =>
    gateway.ticks(symbols.map((symbol) => ({ symbol, bid: priceOf(symbol), ask: Math.random() })));
  publish(names);
  let next = 0;
  const feed = setInterval(() => {
    publish(Array.from({ length: 8 }, (_, index) => names[(next + index * 7) % names.length]));
    next += 56;
  }, 5);
  t.after(() => clearInterval(feed));
  await polled(
    () => gateway.metric("tickgate_symbols"),
    (count) => count === names.length,
    "all symbols",
  );

  const attack = new Attack(t, gateway);
  const tokens = {
    low: await sign({ roles: ["low"] }),
    high: await sign({ roles: ["high"] }),
    shifting: await sign({ sub: "bob", roles: ["shifting"] }),
    owner: await sign({ sub: "eve", roles: ["owner"] }),
  };
  // Somebody sees all of it, at interval 0: so there are broadcasts of it.
  const owner = await WatchedClient.open(gateway.url, "tickgate.v1.msgpack", {
    ...{ name: "owner", token: tokens.owner, delay: 0, violations: new Violations() },
  });
  await owner.ask({ op: "subscribe", symbols: HIDDEN, interval: 0 });
  const switching = [
    await attack.open("switching, JSON", "tickgate.v1.json", tokens.low),
    await attack.open("switching, MessagePack", "tickgate.v1.msgpack", tokens.low),
  ];
  const shifting = [
    await attack.open("shifting, JSON", "tickgate.v1.json", tokens.shifting),
    await attack.open("shifting, MessagePack", "tickgate.v1.msgpack", tokens.shifting),
  ];
  const anonymous = [
    await attack.open("anonymous, JSON", "tickgate.v1.json"),
    await attack.open("anonymous, MessagePack", "tickgate.v1.msgpack"),
  ];
  const clients = [...switching, ...shifting, ...anonymous];
  t.after(() => {
    for (const client of [owner, ...clients]) client.close();
  });

  const run = async (client: WatchedClient, token: string | undefined) => {
    while (!attack.isOver && client.closed === undefined) {
      const dice = Math.random();
      if (dice < 0.01) await client.ask({ op: "unsubscribe", symbols: ["*"] });
      else if (dice < 0.2) await attack.shifting(client);
      else if (dice < 0.25) await attack.httpLate(token);
      else if (dice < 0.4) await attack.http(token);
      else await attack.command(client, !switching.includes(client));
    }
  };
  const switchTokens = async (client: WatchedClient) => {
    while (!attack.isOver && client.closed === undefined) {
      await client.authenticate(tokens.high, false);
      await client.ask({ op: "subscribe", symbols: ["SHIFT:*", "LATE:*", "SECRET:*"], interval: 0 });
      const before = client.shifted;
      await polled(
        async () => client.shifted,
        (count) => count > before + 3 || client.closed !== undefined || attack.isOver,
        "ticks of symbols that are granted now",
      );
      // The token and a command at once: whichever is first, what it brings ends.
      const lowered = client.authenticate(tokens.low, true);
      await client.ask({ op: "subscribe", symbols: ["SHIFT:*", "LATE:*"], interval: 0 });
      await lowered;
      for (let count = 0; count < 30 && !attack.isOver; count++) await attack.shifting(client);
      attack.tokenChanges++;
    }
  };
  const changePolicy = async () => {
    for (let isHigh = true; !attack.isOver; isHigh = !isHigh) {
      for (const client of shifting) client.allow();
      write(policyOf(isHigh ? HIGH : LOW));
      await polled(
        () => attack.sees(tokens.shifting),
        (sees) => sees === isHigh,
        "the policy to be in force",
      );
      attack.policyChanges++;
      if (isHigh) continue;
      for (const client of shifting) {
        await client.ask({ op: "ping" });
        client.deny();
      }
      // The policy is read once a second, so that there is a second of attempts before the next change.
    }
  };
  await Promise.all([
    changePolicy(),
    ...clients.map((client, index) => run(client, [tokens.low, tokens.low, undefined, undefined][index])),
    ...switching.map(switchTokens),
  ]);

  const { socket, http } = attack.times;
  const ratios = [socket, http].map(([hidden, absent]) => hidden.median / absent.median);
  t.diagnostic(
    `${attack.attempts} attempts, ${attack.policyChanges} changes of the policy, ${attack.tokenChanges} of tokens; ` +
      `${clients.reduce((sum, { ticks }) => sum + ticks, 0)} ticks, of which ${clients.reduce((sum, { shifted }) => sum + shifted, 0)} ` +
      `granted for a while and ${clients.reduce((sum, { late }) => sum + late, 0)} late; the owner had ${owner.ticks}; ` +
      `median times ${socket.map(({ median }) => median.toFixed(2)).join("/")} ms, HTTP ${http.map(({ median }) => median.toFixed(2)).join("/")} ms`,
  );
  assert.deepEqual(attack.violations.examples, []);
  assert.equal(attack.violations.count, 0);
  assert.deepEqual(
    clients.map(({ closed }) => closed),
    clients.map(() => undefined),
  );
  assert.ok(attack.attempts >= ATTEMPTS, `${attack.attempts} attempts in ${LONGEST} ms`);
  assert.ok(attack.policyChanges >= POLICY_CHANGES && attack.tokenChanges >= TOKEN_CHANGES);
  assert.ok(owner.ticks > 500, "hidden ticks went to somebody all the time");
  assert.ok(clients.every(({ ticks, late }) => ticks > 100 && late > 10));
  assert.ok(
    [...switching, ...shifting].every(({ shifted }) => shifted > 100),
    "granted for a while",
  );
  for (const [index, ratio] of ratios.entries()) {
    assert.ok([socket, http][index][0].count > MOST_TIMES);
    assert.ok(ratio < SAME_TIME && ratio > 1 / SAME_TIME, `the times until an answer differ: ${ratio}`);
  }
});
