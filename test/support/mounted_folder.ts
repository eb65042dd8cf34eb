/** A folder of files that are replaced together, as Kubernetes does with secrets: by symbolic links. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export class MountedFolder {
  readonly #path = mkdtempSync(join(tmpdir(), "tickgate-mounted-"));
  #version = 0;

  /** @param files content by name */
  constructor(t: TestContext, files: Readonly<Record<string, string>>) {
    t.after(() => rmSync(this.#path, { recursive: true }));
    this.replace(files);
    for (const name of Object.keys(files)) symlinkSync(join("..data", name), this.path(name));
  }

  path(name: string): string {
    return join(this.#path, name);
  }

  /** All files change at one moment: `..data` leads to another folder then. */
  replace(files: Readonly<Record<string, string>>): void {
    const before = this.#version++;
    const folder = `..version-${this.#version}`;
    mkdirSync(this.path(folder));
    for (const [name, text] of Object.entries(files)) writeFileSync(this.path(join(folder, name)), text);
    symlinkSync(folder, this.path("..data_tmp"));
    renameSync(this.path("..data_tmp"), this.path("..data"));
    rmSync(this.path(`..version-${before}`), { recursive: true, force: true });
  }
}
