/**
 * Builds the watchlist: bundles with a hash of the content in their names, compressed at build time. The same sources
 * give identical files.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip as gzipCompress } from "node:zlib";
import { build, type Metafile } from "esbuild";

/** The limit for scripts of the first load, bytes of gzip. The chart is loaded later. */
export const FIRST_LOAD_BUDGET = 61_440;

const gzipped = promisify(gzipCompress);
/** With the default quality, which is the highest. */
const brotlied = promisify(brotliCompress);

const BROWSERS = ["chrome111", "edge111", "firefox121", "safari16.4"];
/** Files are compressed above this size, bytes. */
const MIN_COMPRESSED = 512;

/** Sizes of a built file, bytes. */
export interface BuiltFile {
  readonly name: string;
  readonly bytes: number;
  readonly gzip: number;
  readonly brotli: number;
  /** Whether the first load includes it. */
  readonly isFirst: boolean;
}

/**
 * Builds the page.
 * @param source the folder of the sources, with index.html
 * @param target the folder, which is replaced
 * @throws Error when the first load is over its budget
 */
export async function buildWeb(source: string, target: string): Promise<BuiltFile[]> {
  const result = await build({
    absWorkingDir: source,
    entryPoints: ["main.tsx", "state/theme.ts", "style/main.css"],
    outdir: join(target, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    target: BROWSERS,
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    // No settings from a tsconfig.json.
    tsconfigRaw: {},
    define: { "process.env.NODE_ENV": '"production"' },
    metafile: true,
    write: false,
    logLevel: "warning",
  });

  const files = new Map<string, Uint8Array>();
  for (const { path, contents } of result.outputFiles) files.set(relative(target, path), contents);
  const icon = readFileSync(join(source, "icon.svg"));
  const iconName = `assets/icon-${hashOf(icon)}.svg`;
  files.set(iconName, icon);
  files.set("licenses.txt", Buffer.from(licensesOf(source, result.metafile)));
  const outputs = outputsOf(result.metafile);
  const first = firstLoad(result.metafile, outputs.get("main.tsx") as string);
  files.set(
    "index.html",
    Buffer.from(indexPage(source, { ...named(outputs), icon: iconName, preload: first.slice(1) })),
  );

  const fresh = `${target}.${process.pid}`;
  const built: BuiltFile[] = [];
  for (const [name, contents] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [gzip, brotli] = await Promise.all([gzipped(contents, { level: 9 }), brotlied(contents)]);
    const path = join(fresh, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
    if (contents.length > MIN_COMPRESSED) {
      writeFileSync(`${path}.gz`, gzip);
      writeFileSync(`${path}.br`, brotli);
    }
    const isFirst = first.includes(name);
    built.push({ name, bytes: contents.length, gzip: gzip.length, brotli: brotli.length, isFirst });
  }
  replace(target, fresh);
  const load = built.filter((file) => file.isFirst).reduce((sum, file) => sum + file.gzip, 0);
  if (load > FIRST_LOAD_BUDGET)
    throw new Error(`the first load is ${load} bytes of scripts (gzip), over its budget of ${FIRST_LOAD_BUDGET}`);
  return built;
}

/** Replaces a folder by renaming, so that a starting gateway finds a complete one. */
function replace(target: string, fresh: string): void {
  const old = `${fresh}.old`;
  if (existsSync(target)) renameSync(target, old);
  renameSync(fresh, target);
  rmSync(old, { recursive: true, force: true });
}

/** The output file of each entry point, relative to the target. */
function outputsOf(metafile: Metafile): Map<string, string> {
  return new Map(
    Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
      entryPoint ? [[entryPoint, `assets/${basename(path)}`]] : [],
    ),
  );
}

function named(outputs: ReadonlyMap<string, string>): { script: string; theme: string; style: string } {
  const of = (entry: string) => outputs.get(entry) as string;
  return { script: of("main.tsx"), theme: of("state/theme.ts"), style: of("style/main.css") };
}

/** The scripts of the first load: the entry and its static imports. */
function firstLoad(metafile: Metafile, entry: string): string[] {
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [`assets/${basename(path)}`, output]),
  );
  const found = [entry];
  for (const name of found)
    for (const { path, kind } of outputs.get(name)?.imports ?? []) {
      const imported = `assets/${basename(path)}`;
      if (kind === "import-statement" && !found.includes(imported)) found.push(imported);
    }
  return found;
}

/** The licences of the third-party packages in the page. */
function licensesOf(source: string, metafile: Metafile): string {
  const paths = Object.keys(metafile.inputs).flatMap((path) => {
    const [found] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path) ?? [];
    return found ? [found] : [];
  });
  return [...new Set(paths)]
    .toSorted()
    .map((path) => {
      const folder = join(source, path);
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = ["LICENSE", "LICENSE.md", "LICENCE"]
        .map((name) => join(folder, name))
        .find((name) => existsSync(name));
      return `${name} ${version} (${license})\n\n${file ? readFileSync(file, "utf8").trim() : ""}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

interface Links {
  readonly script: string;
  readonly theme: string;
  readonly style: string;
  readonly icon: string;
  readonly preload: readonly string[];
}

function indexPage(source: string, { preload, ...links }: Links): string {
  const page = readFileSync(join(source, "index.html"), "utf8");
  const filled = page.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    if (name === "preload") return preload.map((path) => `<link rel="modulepreload" href="/${path}">`).join("");
    const path = (links as Record<string, string>)[name];
    if (!path) throw new Error(`index.html asks for {${name}}`);
    return `/${path}`;
  });
  return filled.replaceAll(/>\s+</g, "><").trim();
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 8).toUpperCase();
}
