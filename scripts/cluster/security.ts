/** A certificate and tokens for a cluster on this machine: made when it starts, and deleted with its folder. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tokenOf } from "../../loadtest/tokens.ts";
import { UsageError } from "../../src/settings/option.ts";

/** How long the certificate is valid, days: longer than such a cluster runs. */
const CERTIFICATE_DAYS = 30;

/** The files of a certificate that signs itself. */
export interface ClusterTls {
  readonly cert: string;
  readonly key: string;
  /** Both in one file, as HAProxy reads them. */
  readonly both: string;
  /** The certificate as text, for those who must trust it. */
  readonly ca: string;
}

/** @throws UsageError when there is no OpenSSL */
export function createTls(folder: string): ClusterTls {
  const [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name));
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", key, "-out", cert, "-days", String(CERTIFICATE_DAYS)];
  try {
    execFileSync("openssl", ["req", "-x509", ...curve, ...names, ...files], { stdio: "pipe" });
  } catch (error) {
    throw new UsageError(`openssl makes no certificate: ${(error as Error).message.split("\n")[0]}`, { cause: error });
  }
  const ca = readFileSync(cert, "utf8");
  writeFileSync(both, ca + readFileSync(key, "utf8"), { mode: 0o600 });
  return { cert, key, both, ca };
}

/** A secret that tokens are signed with, and a token. */
export interface ClusterTokens {
  readonly secret: string;
  readonly secretFile: string;
  readonly token: string;
}

export function createTokens(folder: string): ClusterTokens {
  const secret = randomBytes(32).toString("hex");
  const secretFile = join(folder, "jwt-secret");
  writeFileSync(secretFile, secret, { mode: 0o600 });
  return { secret, secretFile, token: tokenOf({ secret, claims: {} }, "cluster") };
}
