/** Tokens for tests: keys, tokens signed with them, and a server with the public keys. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export const SECRET = "a secret of the tests, of 32 bytes or more";

/** Signs with {@link SECRET}. Times are seconds from now on. */
export function sign(claims: JWTPayload = {}, expiresIn: number | undefined = 3_600, secret = SECRET): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const times = { iat: now, ...(expiresIn !== undefined && { exp: now + expiresIn }) };
  return new SignJWT({ sub: "ann", ...times, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret));
}

interface Pair {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: JWK;
}

/** An issuer with a pair of keys and a server. */
export class Issuer {
  readonly #server: Server;
  readonly #pairs: Pair[] = [];
  /** Whether the server answers. */
  isUp = true;
  /** Requests of its keys. */
  requests = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.requests++;
      if (!this.isUp) {
        response.writeHead(503).end();
        return;
      }
      const isDiscovery = request.url === "/.well-known/openid-configuration";
      const keys = { keys: this.#pairs.map(({ publicKey }) => publicKey) };
      const answer = isDiscovery ? { issuer: this.address, jwks_uri: `${this.address}/keys` } : keys;
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  }

  static async open(alg = "ES256"): Promise<Issuer> {
    const issuer = new Issuer();
    await issuer.rotate(alg);
    await new Promise<void>((resolve) => issuer.#server.listen(0, "127.0.0.1", resolve));
    return issuer;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get keysAddress(): string {
    return `${this.address}/keys`;
  }

  /** The public keys, as a file would have them. */
  get keySet(): string {
    return JSON.stringify({ keys: this.#pairs.map(({ publicKey }) => publicKey) });
  }

  /** Signs with another pair of keys from now on. @param keeps whether the previous ones are still published */
  async rotate(alg = "ES256", keeps = false): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${Math.random().toString(36).slice(2)}`;
    if (!keeps) this.#pairs.length = 0;
    this.#pairs.push({ kid, alg, privateKey, publicKey: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } });
  }

  /** Times are seconds from now on. */
  sign(claims: JWTPayload = {}, expiresIn = 3_600): Promise<string> {
    const { kid, alg, privateKey } = this.#pairs[this.#pairs.length - 1];
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ sub: "ann", iss: this.address, iat: now, exp: now + expiresIn, ...claims })
      .setProtectedHeader({ alg, kid })
      .sign(privateKey);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
