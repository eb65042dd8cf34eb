/**
 * The tokens of the load test's connections, from the environment: TICKGATE_TOKEN for all, or JWT_SECRET_FILE with the
 * gateway's secret, and then CLAIMS as JSON; see ../tokens.ts.
 */
import crypto from "k6/crypto";
import encoding from "k6/encoding";

/** Longer than the longest run, seconds. */
const LIFETIME = 8 * 86_400;

const TOKEN = __ENV.TICKGATE_TOKEN ?? "";
const FILE = __ENV.JWT_SECRET_FILE ?? "";
const SECRET = FILE === "" ? "" : open(FILE).replace(/\r?\n$/, "");
const CLAIMS = JSON.parse(__ENV.CLAIMS ?? "{}") as Record<string, unknown>;

/** The headers of a request, with the token of a subject. */
export function tokenHeaders(subject: string): Record<string, string> {
  const token = SECRET === "" ? TOKEN : sign(subject);
  return token === "" ? {} : { Authorization: `Bearer ${token}` };
}

function sign(subject: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { sub: subject, iat: now, exp: now + LIFETIME, ...CLAIMS },
  ];
  const signed = parts.map((part) => encoding.b64encode(JSON.stringify(part), "rawurl")).join(".");
  return `${signed}.${crypto.hmac("sha256", SECRET, signed, "base64rawurl")}`;
}
