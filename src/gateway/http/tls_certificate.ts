/**
 * The certificate of a process and its private key. Both files are read again when they change. A renewal may write
 * them one after the other: the old pair stays in use until the new files fit together.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { WatchedFile } from "../../identity/watched_file.ts";
import { UsageError } from "../../settings/option.ts";
import type { Settings } from "../../settings/settings.ts";

/** How often the files are checked, ms. */
const CHECK_INTERVAL = 1_000;
/** The time in which both files must have been replaced, ms: afterwards a pair that is not usable is reported. */
const SETTLE_TIME = 5_000;

/**
 * The ciphers of TLS 1.2: with forward secrecy and authenticated. TLS 1.3 has no others; older versions are not
 * spoken.
 */
export const TLS_CIPHERS = ["ECDSA", "RSA"]
  .flatMap((key) => [
    `ECDHE-${key}-AES128-GCM-SHA256`,
    `ECDHE-${key}-AES256-GCM-SHA384`,
    `ECDHE-${key}-CHACHA20-POLY1305`,
  ])
  .join(":");
/** A certificate with its key, as the files hold them. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
  /** The end of its validity, ms since the Unix epoch. */
  readonly expiresAt: number;
}

export class TlsCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly #cert: WatchedFile;
  readonly #key: WatchedFile;
  readonly #log: Logger;
  readonly #users: ((pair: TlsPair) => void | Promise<void>)[] = [];
  #pair: TlsPair;
  #timer: NodeJS.Timeout | undefined;
  #changedAt: number | undefined;
  #isBusy = false;
  /** Renewals that are in use, and pairs that could not be used. */
  reloads = 0;
  failures = 0;

  /** @throws UsageError when the files cannot be used */
  constructor(certFile: string, keyFile: string, log: Logger) {
    this.certFile = certFile;
    this.keyFile = keyFile;
    this.#cert = new WatchedFile(certFile);
    this.#key = new WatchedFile(keyFile);
    this.#log = log;
    this.#pair = this.#read(Date.now());
  }

  get pair(): TlsPair {
    return this.#pair;
  }

  /** Seconds until the certificate expires; negative afterwards. */
  get secondsLeft(): number {
    return (this.#pair.expiresAt - Date.now()) / 1_000;
  }

  /** @param use called with each later pair; it throws when the pair cannot be used, and the old one stays */
  onRenewal(use: (pair: TlsPair) => void | Promise<void>): void {
    this.#users.push(use);
  }

  watch(): void {
    this.#timer ??= setInterval(() => void this.check(Date.now()), CHECK_INTERVAL).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Reads the files when they have changed. */
  async check(now: number): Promise<void> {
    for (const file of [this.#cert, this.#key]) if (file.hasChanged()) this.#changedAt = now;
    if (this.#changedAt === undefined || this.#isBusy) return;
    this.#isBusy = true;
    try {
      const pair = this.#read(now);
      const isNew = pair.cert !== this.#pair.cert || pair.key !== this.#pair.key;
      if (isNew) for (const use of this.#users) await use(pair);
      this.#changedAt = undefined;
      if (!isNew) return;
      this.#pair = pair;
      this.reloads++;
      this.#log.info({ expires: new Date(pair.expiresAt).toISOString() }, "the certificate has been renewed");
    } catch (error) {
      if (now - (this.#changedAt ?? now) < SETTLE_TIME) return;
      // Tried again at the next change.
      this.#changedAt = undefined;
      this.failures++;
      this.#log.error({ reason: (error as Error).message }, "the new certificate cannot be used; the old one stays");
    } finally {
      this.#isBusy = false;
    }
  }

  #read(now: number): TlsPair {
    const [cert, key] = [readPem(this.#cert, "--tls-cert"), readPem(this.#key, "--tls-key")];
    return { cert, key, expiresAt: checkPair(cert, key, now) };
  }
}

/**
 * Opens the certificate of the settings.
 * @returns undefined without one
 * @throws UsageError when only one of the files is named, or they cannot be used
 */
export function openCertificate(
  { tlsCert, tlsKey }: Pick<Settings, "tlsCert" | "tlsKey">,
  log: Logger,
): TlsCertificate | undefined {
  if (tlsCert === "" && tlsKey === "") return undefined;
  if (tlsCert === "" || tlsKey === "") throw new UsageError("TLS needs both --tls-cert and --tls-key");
  return new TlsCertificate(tlsCert, tlsKey, log);
}

function readPem(file: WatchedFile, flag: string): string {
  try {
    return file.read();
  } catch (error) {
    throw new UsageError(`${flag}: ${(error as Error).message}`);
  }
}

/**
 * Checks that clients would accept the pair now. A certificate that has expired is refused, so that a rolling restart
 * stops at the first process instead of ending the connections of all.
 * @returns when it expires
 */
function checkPair(cert: string, key: string, now: number): number {
  const certificate = parsed("--tls-cert holds no certificate in PEM form", () => new X509Certificate(cert));
  const privateKey = parsed("--tls-key holds no private key in PEM form without a passphrase", () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey))
    throw new UsageError("--tls-key is not the private key of the certificate in --tls-cert");
  parsed("--tls-cert and --tls-key cannot be used for TLS", () => createSecureContext({ cert, key }));
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (to <= now) throw new UsageError(`--tls-cert has expired: it was valid until ${certificate.validTo}`);
  if (from > now) throw new UsageError(`--tls-cert is not valid before ${certificate.validFrom}`);
  return to;
}

/** OpenSSL's reasons are codes; the message says what the user can correct. */
function parsed<T>(problem: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new UsageError(problem);
  }
}
