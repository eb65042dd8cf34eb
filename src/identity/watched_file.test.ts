/** Files that change, in all ways in which programs change them, and what is no file. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MountedFolder } from "../../test/support/mounted_folder.ts";
import { WatchedFile } from "./watched_file.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tickgate-watched-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("a file that is written, renamed over, removed or back has changed, once", (t) => {
  const path = join(folder(t), "file");
  writeFileSync(path, "one");
  const file = new WatchedFile(path);
  assert.equal(file.read(), "one");
  assert.equal(file.hasChanged(), false);
  const changes: (() => void)[] = [
    () => writeFileSync(path, "more"),
    () => {
      writeFileSync(`${path}.new`, "less");
      renameSync(`${path}.new`, path);
    },
    () => rmSync(path),
    () => writeFileSync(path, "back"),
  ];
  for (const change of changes) {
    change();
    assert.equal(file.hasChanged(), true, change.toString());
    assert.equal(file.hasChanged(), false, change.toString());
  }
  assert.equal(file.read(), "back");
});

test("a file behind symbolic links has changed when they lead elsewhere", (t) => {
  const mounted = new MountedFolder(t, { key: "one" });
  const file = new WatchedFile(mounted.path("key"));
  assert.equal(file.read(), "one");
  mounted.replace({ key: "two" });
  assert.equal(file.hasChanged(), true);
  assert.equal(file.read(), "two");
});

test("what is no regular file, or too large, is an error at once", (t) => {
  const path = folder(t);
  const fifo = join(path, "fifo");
  execFileSync("mkfifo", [fifo]);
  const large = join(path, "large");
  writeFileSync(large, "");
  truncateSync(large, 4_194_305);
  const wrong: [path: string, message: RegExp][] = [
    [path, /it is a directory/],
    [fifo, /it is no regular file/],
    ["/dev/zero", /it is no regular file/],
    [large, /it has more than 4194304 bytes/],
    [join(path, "none"), /ENOENT/],
  ];
  for (const [path, message] of wrong) assert.throws(() => new WatchedFile(path).read(), message, path);
});
