/** The lock files have the hash of each package, so that nobody in between can replace one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
}

const ROOT = new URL("../", import.meta.url);

for (const path of ["package-lock.json", "loadtest/peers/package-lock.json"])
  test(`${path}: every package has its integrity, and is from the registry that npm is configured with`, () => {
    const { packages } = JSON.parse(readFileSync(new URL(path, ROOT), "utf8")) as { packages: Record<string, Entry> };
    const entries = Object.entries(packages).filter(([name, { link }]) => name !== "" && !link);
    assert.ok(entries.length > 10);
    for (const [name, { version = "", integrity = "", resolved }] of entries) {
      assert.match(version, /^\d+\.\d+\.\d+/, name);
      const [, hash = ""] = /^sha512-([A-Za-z0-9+/]+={0,2})$/.exec(integrity) ?? [];
      assert.equal(Buffer.from(hash, "base64").length, 64, `${name} has its SHA-512`);
      // An address here would be used instead of the registry.
      assert.equal(resolved, undefined, name);
    }
  });
