/**
 * The rules for source files that neither TypeScript nor Biome checks: which folder may import which, and the length of
 * comment lines. Part of `npm run check`. Prints a line for each problem, and exits with 1.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { longCommentLines } from "./comments.ts";
import { importProblems } from "./imports.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = ["bin", "src", "scripts", "loadtest", "test"];
const SOURCE = /\.(ts|tsx|js|mjs|css)$/;

/** The paths of all source files, from the project's root. */
function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.name === "node_modules") return [];
    if (entry.isDirectory()) return sourceFiles(path);
    return SOURCE.test(entry.name) ? [path] : [];
  });
}

const imports: string[] = [];
const comments: string[] = [];
for (const path of FOLDERS.flatMap(sourceFiles)) {
  const text = readFileSync(join(ROOT, path), "utf8");
  imports.push(...importProblems(path, text));
  for (const line of longCommentLines(text))
    comments.push(`${path}:${line} is a comment line of more than 120 characters`);
}

const problems = [...imports, ...comments];
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
