/** Certificates for tests, made with OpenSSL. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The files of a certificate that signs itself. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A folder with certificates. */
export class CertificateFolder {
  readonly #path = mkdtempSync(join(tmpdir(), "tickgate-tls-"));

  path(name: string): string {
    return join(this.#path, name);
  }

  /** @param name of its subject, and of its files */
  create(name: string, keyType = "ec:P-256"): CertificateFiles {
    const [cert, key] = [this.path(`${name}.cert.pem`), this.path(`${name}.key.pem`)];
    const [type, size] = keyType.split(":");
    const options = type === "ec" ? ["ec", "-pkeyopt", `ec_paramgen_curve:${size}`] : [`rsa:${size}`];
    const san = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    const args = ["req", "-x509", "-newkey", ...options, "-nodes", "-keyout", key, "-out", cert, "-days", "90"];
    execFileSync("openssl", [...args, "-subj", `/CN=${name}`, "-addext", san], { stdio: "pipe" });
    return { cert, key };
  }

  /** One that was valid in January 2020 only. */
  createExpired(name: string): CertificateFiles {
    const { cert, key } = this.create(name);
    const [config, request] = [this.path(`${name}.cnf`), this.path(`${name}.csr`)];
    const base = `database=${this.path("index")}\nnew_certs_dir=${this.#path}\nrand_serial=yes\ndefault_md=sha256`;
    writeFileSync(config, `[ca]\ndefault_ca=own\n[own]\n${base}\npolicy=any\n[any]\ncommonName=supplied\n`);
    writeFileSync(this.path("index"), "");
    execFileSync("openssl", ["req", "-new", "-key", key, "-subj", `/CN=${name}`, "-out", request], { stdio: "pipe" });
    const dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
    const args = ["ca", "-batch", "-selfsign", "-config", config, "-keyfile", key, "-in", request, "-out", cert];
    execFileSync("openssl", [...args, ...dates, "-notext"], { stdio: "pipe" });
    return { cert, key };
  }

  /** Replaces files as renewal programs do: a new file with the old name. */
  replace(target: CertificateFiles, source: CertificateFiles): void {
    renameSync(source.cert, target.cert);
    renameSync(source.key, target.key);
  }

  close(): void {
    rmSync(this.#path, { recursive: true });
  }
}
