/** The tokens of load tests: one for all connections, or one for each, signed here with the gateway's secret. */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Kind, text, UsageError } from "../src/settings/option.ts";
import { option } from "./option_table.ts";

/** The environment name of `--token`, as for `tickgate watch`. */
const TOKEN_ENV = "TICKGATE_TOKEN";
/** What a header can carry. */
const TOKEN = /^[\x21-\x7e]{1,8192}$/;
/** RFC 7518, section 3.2. */
const SECRET_BYTES = 32;
/** Longer than the longest run, seconds. */
const LIFETIME = 8 * 86_400;

type Claims = Readonly<Record<string, unknown>>;

const JSON_OBJECT: Kind<Claims> = {
  arg: "JSON",
  range: "a JSON object",
  read(given) {
    try {
      const value: unknown = JSON.parse(given);
      return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
    } catch {
      return undefined;
    }
  },
};

/** The options of a load test with tokens. */
export const TOKEN_OPTIONS = {
  token: option(
    text("TOKEN", "empty or a token", /^$|^[\x21-\x7e]{1,8192}$/),
    "",
    `The token of all connections; rather in ${TOKEN_ENV}, where others do not see it`,
  ),
  "jwt-secret-file": option(
    text("FILE", "a file name", /^/),
    "",
    "The file with the gateway's --jwt-secret: each connection has a token (HS256) of a subject of its own",
  ),
  claims: option(JSON_OBJECT, {} as Claims, 'Claims of those tokens, such as {"roles":["desk"]}'),
} as const;

/** How connections get their tokens; plain data, because it is sent to other processes. */
export type TokenSource = { readonly token: string } | { readonly secret: string; readonly claims: Claims };

/** The values of {@link TOKEN_OPTIONS}. */
export interface TokenValues {
  readonly token: string;
  readonly "jwt-secret-file": string;
  readonly claims: Claims;
}

/**
 * Reads the secret's file.
 * @returns undefined without tokens
 * @throws UsageError when the options contradict each other, or the file cannot be used
 */
export function tokenSource(
  { token, "jwt-secret-file": file, claims }: TokenValues,
  env: NodeJS.ProcessEnv,
): TokenSource | undefined {
  if (file === "" && Object.keys(claims).length > 0) throw new UsageError("--claims needs --jwt-secret-file");
  if (file !== "") {
    if (token !== "") throw new UsageError("--token and --jwt-secret-file exclude each other");
    return { secret: readSecret(file), claims };
  }
  const given = token || (env[TOKEN_ENV] ?? "");
  if (given === "") return undefined;
  if (!TOKEN.test(given)) throw new UsageError(`${TOKEN_ENV} must be a token`);
  return { token: given };
}

function readSecret(file: string): string {
  let secret: string;
  try {
    // An editor ends the last line; the gateway's setting has no line end.
    secret = readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new UsageError(`--jwt-secret-file: ${(error as Error).message}`, { cause: error });
  }
  if (Buffer.byteLength(secret) < SECRET_BYTES)
    throw new UsageError(`--jwt-secret-file must hold at least ${SECRET_BYTES} bytes`);
  return secret;
}

/** The token of a connection. @param subject of a token that is signed here */
export function tokenOf(source: TokenSource, subject: string): string {
  if ("token" in source) return source.token;
  const now = Math.floor(Date.now() / 1_000);
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { sub: subject, iat: now, exp: now + LIFETIME, ...source.claims },
  ];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${createHmac("sha256", source.secret).update(signed).digest("base64url")}`;
}

/** The request headers with a token. */
export function tokenHeaders(source: TokenSource | undefined, subject: string): Record<string, string> {
  return source === undefined ? {} : { authorization: `Bearer ${tokenOf(source, subject)}` };
}
