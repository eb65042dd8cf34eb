/**
 * Builds the client library `tickgate/client`: a minified module without imports, and its types. The server and the
 * tests use the sources. Also runs as a program:
 *
 *     node scripts/build_client.ts
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const SOURCE = fileURLToPath(new URL("../src/client/", import.meta.url));
const TARGET = fileURLToPath(new URL("../dist/client/", import.meta.url));
const TSC = fileURLToPath(new URL("bin/tsc", import.meta.resolve("@typescript/native/package.json")));

/** The largest size of `tickgate/client`, and of it with all other modules, bytes of gzip. */
export const CLIENT_BUDGET = 10_240;
export const TOTAL_BUDGET = 14_336;

/**
 * Members that only the library uses: they get short names, the same in all modules of a build. None of them is a part
 * of the API or of a message.
 */
const INTERNAL = [
  ...["isSnapshotDue", "isStatusDue", "hasReset", "hasGap", "isNew", "calledAt", "positions", "reported"],
  ...["selection", "exceptions", "allHidden", "setAllHidden", "setHidden", "isHidden", "prefixes", "coversPrefix"],
  ...["prefixSpec", "affected", "sources", "updatePatterns", "greeted", "ponged", "disconnected", "setCurrent"],
  ...["attach", "detach", "release", "cause", "kind", "content", "judge", "fits", "merge", "demand", "demanded"],
  ...["record", "records", "listener", "violated", "granted", "ticked", "retries", "denied", "news", "refresh"],
  ...["named", "covers", "spec", "patterns", "update", "again", "link", "ages", "made", "sync", "demanded", "failed"],
  ...["flush", "changed", "names", "drop", "counts", "quantiles", "connected", "terms", "handle", "current", "emit"],
  ...[
    "frame",
    "begin",
    "ended",
    "View",
    "offset",
    "release",
    "take",
    "options",
    "intervalFor",
    "subprotocols",
    "commandKeys",
    "changes",
    "texts",
  ],
];

/**
 * Private members. They become internal ones too, since `this.a` is shorter than `this.#a`: 120 bytes in all. Those of
 * different classes get the same names, so no class that has some may extend another.
 */
const PRIVATE = /#(\w+)/g;

/** Names of incomplete files. */
const HALF = /\.half\d+$/;

/** Sizes of a module, bytes. */
export interface ModuleSize {
  readonly name: string;
  readonly bytes: number;
  readonly gzip: number;
  readonly brotli: number;
}

/**
 * Builds the library. Replaces each file atomically, so that readers find the old or the new one.
 * @param target folder
 * @throws Error when the sources have an error, or the size is over the budget
 */
export async function buildClient(target = TARGET): Promise<ModuleSize[]> {
  const result = await build({
    absWorkingDir: SOURCE,
    entryPoints: { index: "client.ts", observe: "observe.ts", books: "books.ts", trades: "trades.ts", bars: "bars.ts" },
    outdir: target,
    bundle: true,
    format: "esm",
    target: "es2022",
    // Makes an import of a Node module an error.
    platform: "browser",
    minify: true,
    legalComments: "none",
    write: false,
    logLevel: "warning",
  });
  const files = new Map<string, Uint8Array | string>(typesOf(SOURCE));
  const nameCache = {};
  const sizes: ModuleSize[] = [];
  for (const { path, text } of result.outputFiles) {
    const name = path.slice(join(target, "/").length);
    // After esbuild: both together make it a thirtieth smaller than either.
    const { code = "" } = await minify(text.replaceAll(PRIVATE, "$1$$"), {
      module: true,
      ecma: 2022,
      compress: {
        passes: 2,
        sequences: false,
        lhs_constants: false,
        inline: 1,
        hoist_funs: true,
        unsafe_arrows: true,
        pure_getters: true,
      },
      // Some are names of the browser's as well (`selection`), which the library does not use.
      mangle: { properties: { regex: new RegExp(`^(${INTERNAL.join("|")}|\\w+\\$)$`), builtins: true } },
      nameCache,
    });
    const contents = Buffer.from(code);
    files.set(name, contents);
    sizes.push({
      name,
      bytes: contents.length,
      gzip: gzipSync(contents, { level: 9 }).length,
      brotli: brotliCompressSync(contents).length,
    });
  }
  const [{ name, gzip }] = sizes;
  if (gzip > CLIENT_BUDGET) throw new Error(`${name} has ${gzip} bytes as gzip, and may have ${CLIENT_BUDGET}`);
  for (const [path, contents] of files) writeWhole(join(target, path), contents);
  for (const entry of readdirSync(target, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    // Incomplete files belong to a build that runs at the same time.
    const isOld = entry.isFile() && !HALF.test(file) && !files.has(file.slice(join(target, "/").length));
    if (isOld) rmSync(file, { force: true });
  }
  return sizes;
}

/** The declaration files of the compiler, by path. */
function typesOf(source: string): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-types-"));
  try {
    const args = [TSC, "-p", join(source, "tsconfig.build.json"), "--outDir", folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`the types of the client library cannot be built:\n${stdout}${stderr}`);
    const types = new Map<string, string>();
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".d.ts")) continue;
      const text = readFileSync(join(folder, name), "utf8");
      // Users import the built .js files.
      types.set(join("types", name), text.replaceAll(/(from|import\()( ?")(\.[^"]+)\.ts"/g, '$1$2$3.js"'));
    }
    return types;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes a file atomically. */
function writeWhole(path: string, contents: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  const half = `${path}.half${process.pid}`;
  writeFileSync(half, contents);
  renameSync(half, path);
}

if (import.meta.main) {
  for (const { name, bytes, gzip, brotli } of await buildClient())
    process.stdout.write(`${name}: ${bytes} bytes, ${gzip} as gzip, ${brotli} as brotli\n`);
}
