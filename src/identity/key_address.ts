/** Where an issuer's public keys are, and how they are fetched. */
import { isLoopback } from "../base/loopback.ts";

/** An answer must have come after so long, ms, and have so many bytes at most: a key has 1 to 2 KB. */
const FETCH_TIME = 5_000;
const MOST_BYTES = 1_048_576;

/** Whether a text is meant as an address, and not as a file or a name. */
export function isAddress(text: string): boolean {
  return /^https?:\/\//.test(text);
}

/** Whether nobody on the way can replace the keys of an address: who can makes tokens at will. */
export function isProtected(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
}

/**
 * The address of an issuer's keys by OpenID Connect Discovery 1.0.
 * @throws Error where the answer is of another issuer, or has no address that is protected
 */
export async function discoverKeys(issuer: string): Promise<string> {
  const text = await fetchText(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const { issuer: named, jwks_uri: address } = JSON.parse(text) as Record<string, unknown>;
  if (named !== issuer) throw new Error(`the OpenID configuration is of another issuer than ${issuer}`);
  if (typeof address !== "string" || !isAddress(address)) throw new Error("the OpenID configuration has no jwks_uri");
  if (!isProtected(address)) throw new Error("the jwks_uri of the OpenID configuration is not https");
  return address;
}

/**
 * Fetches a text. A redirection is not followed: it could lead to an address that is not protected.
 * @throws Error says why there is none
 */
export async function fetchText(address: string, time = FETCH_TIME): Promise<string> {
  const response = await fetch(address, { redirect: "error", signal: AbortSignal.timeout(time) });
  if (!response.ok || !response.body) throw new Error(`the answer has the status ${response.status}`);
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body) {
    length += part.length;
    if (length > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
