/** A gateway with a real identity provider: discovery, keys that are rotated, tokens by client credentials. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";
import { GatewayProcess, polled } from "./support/gateway_process.ts";
import { WireClient } from "./support/wire_client.ts";

const RESOURCE = "urn:prices";

/** A provider that can be started again with other keys, on the same port. */
async function openProvider(t: TestContext) {
  let handle: ReturnType<Provider["callback"]>;
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rotate = async () => {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const key = { ...(await exportJWK(privateKey)), alg: "RS256", use: "sig" };
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: "screens",
          client_secret: "a secret of the client",
          grant_types: ["client_credentials"],
          redirect_uris: [],
          response_types: [],
        },
      ],
      jwks: { keys: [key] },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({ scope: "read", audience: RESOURCE, accessTokenFormat: "jwt" }),
        },
      },
      extraTokenClaims: () => ({ grants: [{ symbols: ["V:*"] }] }),
    });
    handle = provider.callback();
  };
  await rotate();
  const token = async () => {
    const response = await fetch(`${issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from("screens:a+secret+of+the+client").toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", resource: RESOURCE, scope: "read" }),
    });
    const { access_token: access } = (await response.json()) as { access_token: string };
    assert.equal(access?.split(".").length, 3, `${response.status}`);
    return access;
  };
  return { issuer, rotate, token };
}

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
