/** Decides which requests the admin port answers: those with a token or a client certificate, where it requires one. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { isLoopback } from "../base/loopback.ts";
import { ReloadedFile } from "../identity/reloaded_file.ts";
import { WatchedFile } from "../identity/watched_file.ts";
import type { RateLimitedLog } from "../log/rate_limited_log.ts";
import { ADMIN_TOKEN } from "../settings/admin_settings.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";
import { clientKey } from "./connections.ts";

/** Refusals of one address that are answered with 401 in a period, ms; then with 429. */
const MOST_REFUSALS = 20;
const PERIOD = 10_000;
/** Addresses that are counted in a period; all others share one count. */
const MOST_ADDRESSES = 1_024;
/** Tokens in a file. */
const MOST_TOKENS = 16;

export type AccessSettings = Pick<
  Settings,
  "adminClientCa" | "adminHost" | "adminOpen" | "adminToken" | "adminTokenFile" | "tlsCert"
>;

/** Whether a request is answered, refused with 401, or with 429. */
export type Access = "granted" | "refused" | "too many";

export class AdminAccess {
  /** Requests that were refused. */
  refused = 0;
  /** The authority of client certificates; undefined when they are not asked for. */
  readonly clientCa: string | undefined;
  readonly #file: ReloadedFile<readonly Buffer[]> | undefined;
  readonly #events: RateLimitedLog;
  readonly #own: readonly Buffer[];
  #periodAt = 0;
  readonly #refusals = new Map<string, number>();

  /** @throws UsageError when the port would be open to others, or a file cannot be used */
  constructor(settings: AccessSettings, events: RateLimitedLog, clock: Clock) {
    this.#events = events;
    this.#own = settings.adminToken.map(digest);
    const path = settings.adminTokenFile;
    this.#file =
      path === "" ? undefined : readOf("--admin-token-file", () => new ReloadedFile(path, clock, readTokens));
    this.clientCa = settings.adminClientCa === "" ? undefined : readCa(settings.adminClientCa);
    if (this.clientCa !== undefined && settings.tlsCert === "")
      throw new UsageError("--admin-client-ca needs TLS: --tls-cert and --tls-key");
    if (!this.#isAsked && !settings.adminOpen && !isLoopback(settings.adminHost))
      throw new UsageError(
        `--admin-host ${settings.adminHost} is reached by other machines: set TICKGATE_ADMIN_TOKEN, --admin-token-file or --admin-client-ca, or --admin-open if nobody else is in that network`,
      );
  }

  /** Reads the file of tokens again after each change. */
  watch(): void {
    this.#file?.watch({
      changed: () => {},
      failed: (reason) => this.#events.write("error", { reason }, "the admin tokens cannot be read; the old ones stay"),
    });
  }

  close(): void {
    this.#file?.close();
  }

  isGranted({ socket, headers }: IncomingMessage): boolean {
    if (!this.#isAsked) return true;
    if (this.clientCa !== undefined && socket instanceof TLSSocket && socket.authorized) return true;
    const token = tokenOf(headers.authorization);
    return token !== undefined && this.#isKnown(token);
  }

  /** Decides about a request, and counts a refusal. @param now ms of the monotonic clock */
  check(request: IncomingMessage, now: number): Access {
    if (this.isGranted(request)) return "granted";
    this.refused++;
    const address = clientKey(request.socket);
    const token = tokenOf(request.headers.authorization);
    this.#events.write(
      "warn",
      { address, reason: token === undefined ? "no token" : "wrong token" },
      "refusing a request at the admin port",
    );
    return this.#countRefusal(address, now) > MOST_REFUSALS ? "too many" : "refused";
  }

  get #tokens(): readonly Buffer[] {
    return [...this.#own, ...(this.#file?.value ?? [])];
  }

  get #isAsked(): boolean {
    return this.clientCa !== undefined || this.#tokens.length > 0;
  }

  /** Every token is compared, each in constant time. */
  #isKnown(token: string): boolean {
    const presented = digest(token);
    return this.#tokens.reduce((isKnown, known) => timingSafeEqual(known, presented) || isKnown, false);
  }

  #countRefusal(address: string, now: number): number {
    if (now - this.#periodAt >= PERIOD) {
      this.#refusals.clear();
      this.#periodAt = now;
    }
    const key = this.#refusals.has(address) || this.#refusals.size < MOST_ADDRESSES ? address : "";
    const count = (this.#refusals.get(key) ?? 0) + 1;
    this.#refusals.set(key, count);
    return count;
  }
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** The token of a program (Bearer), or of a browser, which sends it as the password of any user (Basic). */
function tokenOf(header = ""): string | undefined {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(header) ?? [];
  if (value === undefined || scheme.toLowerCase() === "bearer") return value;
  const login = Buffer.from(value, "base64").toString();
  return login.includes(":") ? login.slice(login.indexOf(":") + 1) : undefined;
}

/** @throws Error */
function readTokens(text: string): readonly Buffer[] {
  const tokens = text.split(/\s+/).filter((token) => token !== "");
  if (tokens.length === 0 || tokens.length > MOST_TOKENS || !tokens.every((token) => ADMIN_TOKEN.test(token)))
    throw new Error(`it must hold 1 to ${MOST_TOKENS} tokens of 32 to 512 characters each`);
  return tokens.map(digest);
}

function readCa(path: string): string {
  const text = readOf("--admin-client-ca", () => new WatchedFile(path).read());
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new UsageError("--admin-client-ca holds no certificate");
  return text;
}

function readOf<T>(flag: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`);
  }
}
