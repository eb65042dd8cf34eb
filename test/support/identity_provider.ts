/** A real identity provider: OpenID discovery, keys that can be rotated, tokens by client credentials. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

export const RESOURCE = "urn:prices";

/** The client that may ask for tokens. */
export const CLIENT = { client_id: "screens", client_secret: "a secret of the client" };

/**
 * A provider that can be started again with other keys, on the same port.
 * @param lifetime of its tokens, s
 */
export async function openProvider(t: TestContext, lifetime = 600) {
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
          ...CLIENT,
          grant_types: ["client_credentials"],
          redirect_uris: [],
          response_types: [],
        },
      ],
      jwks: { keys: [key] },
      ttl: { ClientCredentials: lifetime },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: "read",
            audience: RESOURCE,
            accessTokenFormat: "jwt",
            accessTokenTTL: lifetime,
          }),
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
