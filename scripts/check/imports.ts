/** Which folders of src/ may import which, as ARCHITECTURE.md says. Biome checks that no imports form a cycle. */
import { dirname, join } from "node:path/posix";

/** A folder may import itself and these. A file that lies directly in src/ is a folder of its own. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  settings: ["base"],
  log: ["base", "settings"],
  msgpack: ["base"],
  protocol: ["base", "msgpack"],
  market: ["base", "settings", "log", "msgpack", "protocol"],
  bus: ["base", "settings", "log", "msgpack", "protocol", "market"],
  feed: ["base", "settings", "log", "msgpack", "protocol", "market", "bus"],
  identity: ["base", "settings", "log", "protocol", "bus"],
  gateway: ["base", "settings", "log", "msgpack", "protocol", "market", "bus", "identity"],
  admin: ["base", "settings", "log", "msgpack", "protocol", "market", "bus", "feed", "identity", "gateway"],
  command: [
    "base",
    "settings",
    "log",
    "msgpack",
    "protocol",
    "market",
    "bus",
    "feed",
    "identity",
    "gateway",
    "admin",
    "client",
  ],
  "main.ts": ["base", "settings", "log", "command"],
  client: ["base", "msgpack", "protocol"],
  web: ["base", "client"],
};

/** The gateway imports the bus's interface, not its implementations. */
const FORBIDDEN: readonly { readonly from: string; readonly to: string }[] = [
  { from: "src/gateway/", to: "src/bus/redis/" },
  { from: "src/gateway/", to: "src/bus/memory.ts" },
];

/** What a file imports by a relative path, or loads by `new URL(…, import.meta.url)`: paths from the project's root. */
export function importedPaths(path: string, text: string): string[] {
  const specifiers = text.matchAll(/\b(?:from|import|URL)\s*\(?\s*"(\.[^"]*)"/g);
  return Array.from(specifiers, ([, specifier]) => join(dirname(path), specifier));
}

/** Tests may import anything. */
export function isTest(path: string): boolean {
  return path.startsWith("test/") || /\.(test|testing)\.tsx?$/.test(path);
}

/** @returns what is wrong with the imports of one file: a line for each */
export function importProblems(path: string, text: string): string[] {
  if (isTest(path)) return [];
  const folder = folderOf(path);
  if (folder !== undefined && !(folder in ALLOWED))
    return [`${path} is in no folder that scripts/check/imports.ts names`];
  return importedPaths(path, text)
    .filter((target) => !isAllowed(path, folder, target))
    .map((target) => `${path} may not import ${target}`);
}

function isAllowed(path: string, folder: string | undefined, target: string): boolean {
  if (isTest(target)) return false;
  const targetFolder = folderOf(target);
  if (folder === undefined || targetFolder === undefined || folder === targetFolder) return !isForbidden(path, target);
  return ALLOWED[folder].includes(targetFolder) && !isForbidden(path, target);
}

function isForbidden(path: string, target: string): boolean {
  return FORBIDDEN.some(({ from, to }) => path.startsWith(from) && target.startsWith(to));
}

/** The folder of src/ that a path is in; undefined outside of src/. */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)/.exec(path)?.[1];
}
