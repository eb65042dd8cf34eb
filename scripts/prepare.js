// Runs after `npm ci`: builds the watchlist and the client library, if possible. Plain JavaScript, because `npm ci` may
// run on a Node without TypeScript support. Without development packages there is no bundler.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
const runsTypeScript = major > 22 || (major === 22 && minor >= 18);
const build = new URL("./build.ts", import.meta.url);

if (runsTypeScript && existsSync(build) && canResolve("esbuild")) await import(build);
else
  process.stdout.write("The watchlist is not built: that takes Node 22 and the packages for development (npm ci).\n");

function canResolve(name) {
  try {
    return existsSync(fileURLToPath(import.meta.resolve(name)));
  } catch {
    return false;
  }
}
