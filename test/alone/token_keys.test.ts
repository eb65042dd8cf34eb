/**
 * The keys of tokens change and their address goes away while 1,000 clients are connected: nobody with a valid token is
 * closed, and nobody with an invalid one gets in.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { GatewayProcess, polled } from "../support/gateway_process.ts";
import { Issuer, sign } from "../support/tokens.ts";
import { WireClient } from "../support/wire_client.ts";

const CLIENTS = 1_000;
/** Clients that connect at a time: all of one address at once would be above the limit on handshakes. */
const GROUP = 50;

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** Does something for each number, a group at a time. */
async function inGroups(count: number, act: (index: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < count; from += GROUP)
    await Promise.all(Array.from({ length: Math.min(GROUP, count - from) }, (_, index) => act(from + index)));
}

async function openGateway(t: TestContext, issuer: Issuer): Promise<GatewayProcess> {
  const limits = ["--max-connections-per-address", "4000", "--max-connections", "4000"];
  const own = ["--auth", "required", "--jwt-issuer", issuer.address, "--jwt-audience", "prices"];
  const gateway = await GatewayProcess.open(...own, ...limits);
  t.after(() => gateway.close());
  gateway.tick("A", { last: 0 });
  return gateway;
}

test("keys rotate and their address goes away under 1,000 connections", { timeout: 120_000 }, async (t) => {
  const issuer = await Issuer.open();
  const foreign = await Issuer.open();
  t.after(() => Promise.all([issuer.close(), foreign.close()]));
  const gateway = await openGateway(t, issuer);
  const valid = (index: number) => issuer.sign({ sub: `client${index}`, aud: "prices" });
  const clients: WireClient[] = [];
  t.after(() => {
    for (const client of clients) client.close();
  });
  await inGroups(CLIENTS, async (index) => {
    const client = await WireClient.open(gateway.url, "tickgate.v1.json", bearer(await valid(index)));
    clients[index] = client;
    await client.subscribe(["A"], { interval: 0 });
  });

  let price = 0;
  /** A tick reaches every client, and nobody has been closed. */
  const allServed = async () => {
    const last = ++price;
    gateway.tick("A", { last });
    const isServed = ({ ticks }: WireClient) => ticks.at(-1)?.values.includes(last) === true;
    await polled(
      async () => clients.filter((client) => !isServed(client)).length,
      (count) => count === 0,
      "a tick at every client",
    );
    assert.equal(clients.filter(({ closed }) => closed !== undefined).length, 0);
  };
  const statusOf = async (token: string) =>
    (await gateway.get("/v1/symbols", { authorization: `Bearer ${token}` })).status;
  const isKnown = (token: string) =>
    polled(
      () => statusOf(token),
      (status) => status === 200,
      "the new key",
    );
  let asked = 0;
  /** Those who must not get in, each in both ways; `withdrawn` are tokens of keys that are not published any more. */
  const refuseAll = async (withdrawn: readonly string[]) => {
    const claims = { sub: "client0", iss: issuer.address, aud: "prices" };
    const good = await valid(0);
    const invalid = [
      ...withdrawn,
      await foreign.sign(claims),
      await issuer.sign({ ...claims, aud: "news" }),
      await issuer.sign({ ...claims, iss: foreign.address }),
      await issuer.sign(claims, -60),
      await sign(claims),
      `${good.slice(0, good.lastIndexOf("."))}.${(await valid(1)).split(".")[2]}`,
    ];
    await inGroups(invalid.length * 10, async (index) => {
      const token = invalid[index % invalid.length];
      assert.equal((await WireClient.refused(gateway.url, bearer(token))).status, 401, `${index % invalid.length}`);
    });
    // Each by another client: one that sends many is closed.
    for (const token of invalid)
      assert.equal((await clients[asked++].ask({ op: "auth", token }, "error")).code, "invalid_token");
  };
  await allServed();
  const first = await valid(0);
  await refuseAll([]);

  await issuer.rotate();
  await isKnown(await valid(0));
  issuer.isUp = false;
  await refuseAll([first]);
  await allServed();
  // Everybody changes to a token of the new key, though the address is away.
  await inGroups(CLIENTS, async (index) => {
    const { subject } = await clients[index].ask({ op: "auth", token: await valid(index) }, "authenticated");
    assert.equal(subject, `client${index}`);
  });
  await allServed();

  // A key that the gateway cannot know yet.
  const second = await valid(0);
  await issuer.rotate();
  const unknown = await valid(0);
  await polled(
    async () => {
      assert.equal(await statusOf(unknown), 401);
      return gateway.metric("tickgate_token_key_failures_total");
    },
    (count) => count > 0,
    "the gateway to ask for the key in vain",
  );
  await refuseAll([first, unknown]);
  assert.equal(await statusOf(second), 200);
  issuer.isUp = true;
  await isKnown(await valid(0));
  await refuseAll([first, second]);
  await allServed();
  assert.equal(await gateway.metric("tickgate_connections"), CLIENTS);
});
