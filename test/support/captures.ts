/** The captures that tests run on: the project's own, and larger ones beside the repository where they are there. */
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
