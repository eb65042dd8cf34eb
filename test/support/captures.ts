/** The captures for tests: the project's own, and larger ones beside the repository if they exist. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Capture, readCapture } from "../../src/feed/capture/capture.ts";

/** The captures of a venue by file name. */
export function captures(venue: string): [string, Capture][] {
  return [`../../src/feed/fixtures/${venue}.txt`, `../../../shared/captures/${venue}.txt`]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .filter((file) => existsSync(file))
    .map((file) => [file, readCapture(file)]);
}
