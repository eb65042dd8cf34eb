// Runs after `npm ci`: builds what browsers load, where that can be built. Plain JavaScript, because a Node that runs no
// TypeScript installs packages too; without the packages for development there is nothing to build with.
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);

if (!canResolve("esbuild") || !(major > 22 || (major === 22 && minor >= 18))) {
  process.stdout.write("The watchlist is not built: that needs the packages for development (npm ci) and Node 22.\n");
} else {
  await import(new URL("./build.ts", import.meta.url));
}

function canResolve(name) {
  try {
    return fileURLToPath(import.meta.resolve(name)) !== "";
  } catch {
    return false;
  }
}
