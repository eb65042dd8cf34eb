/** A gateway with a real identity provider: discovery, keys that are rotated, tokens by client credentials. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { openProvider, RESOURCE } from "./support/identity_provider.ts";
import { WireClient } from "./support/wire_client.ts";

test("tokens of a real provider are accepted, also after its keys have been rotated", async (t) => {
  const provider = await openProvider(t);
  const own = ["--auth", "required", "--jwt-issuer", provider.issuer, "--jwt-audience", RESOURCE];
  const gateway = await GatewayProcess.open(...own);
  t.after(() => gateway.close());
  for (const symbol of ["V:A", "W:A"]) gateway.tick(symbol, { bid: 1 });
  const open = async (token: string) => {
    const client = await WireClient.open(gateway.url, "tickgate.v1.msgpack", {
      headers: { authorization: `Bearer ${token}` },
    });
    t.after(() => client.close());
    return client;
  };
  const first = await open(await provider.token());
  assert.deepEqual([...(await first.subscribe(["V:A", "W:A"])).keys()], ["V:A"]);
  const { subject, expires } = await first.ask({ op: "auth", token: await provider.token() }, "authenticated");
  assert.equal(subject, "screens");
  assert.ok((expires as number) > Date.now() * 1_000);
  await provider.rotate();
  const token = await provider.token();
  const asked = async () => (await gateway.get("/v1/symbols", { authorization: `Bearer ${token}` })).status;
  await polled(asked, (status) => status === 200, "the new key");
  await (await open(token)).subscribe(["V:A"]);
  assert.equal(first.closed, undefined);
});
