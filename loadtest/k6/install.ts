/**
 * Builds k6 with Go from its published module. If Go is too old, as on Debian, it downloads a newer toolchain as a
 * module, whose checksum Go verifies (https://go.dev/doc/toolchain).
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { UsageError } from "../../src/settings/option.ts";
import { INSTALLED, VERSION } from "./find.ts";

const MODULE = "go.k6.io/k6/v2";
/** The minor version that its go.mod requires, and the release that is downloaded where Go is older. */
const REQUIRED_MINOR = 25;
const DOWNLOADED = "1.25.12";

/** A Go command and its environment. */
interface Go {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Builds k6, unless it is installed.
 * @param say reports progress
 * @returns its path
 * @throws UsageError when Go is missing or fails
 */
export function installK6(say: (text: string) => void): string {
  if (existsSync(INSTALLED)) return INSTALLED;
  const folder = mkdtempSync(join(tmpdir(), "tickgate-k6-"));
  const unfinished = `${INSTALLED}.${process.pid}`;
  try {
    const go = newEnoughGo(folder, say);
    say(`building k6 ${VERSION} with Go, which takes some minutes`);
    const lines = ["module tickgate.example/k6", `go 1.${REQUIRED_MINOR}.0`, `require ${MODULE} v${VERSION}`];
    writeFileSync(join(folder, "go.mod"), `${lines.join("\n\n")}\n`);
    mkdirSync(dirname(INSTALLED), { recursive: true });
    run(go, folder, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", unfinished, MODULE);
    // Atomic: other processes find the complete file or none.
    renameSync(unfinished, INSTALLED);
    return INSTALLED;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(unfinished, { force: true });
  }
}

/** The machine's Go, or a downloaded one where it is too old. */
function newEnoughGo(folder: string, say: (text: string) => void): Go {
  const own: Go = { command: "go", env: process.env };
  const [, minor] = /go1\.(\d+)/.exec(run(own, folder, "version")) ?? [];
  if (Number(minor) >= REQUIRED_MINOR) return own;
  const [os, arch] = run(own, folder, "env", "GOOS", "GOARCH").trim().split(/\s+/);
  say(`Go 1.${minor} is too old to build k6; downloading ${DOWNLOADED}`);
  const module = `golang.org/toolchain@v0.0.1-go${DOWNLOADED}.${os}-${arch}`;
  const { Dir: root } = JSON.parse(run(own, folder, "mod", "download", "-json", module)) as { Dir: string };
  // Files of a module are not executable.
  for (const programs of [join(root, "bin"), join(root, "pkg", "tool", `${os}_${arch}`)])
    for (const program of readdirSync(programs)) chmodSync(join(programs, program), 0o755);
  return { command: join(root, "bin", "go"), env: { ...process.env, GOROOT: root, GOTOOLCHAIN: "local" } };
}

/** Runs Go and returns its output. */
function run({ command, env }: Go, cwd: string, ...args: string[]): string {
  const { status, stdout, error } = spawnSync(command, args, {
    ...{ cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
    // Needs no C compiler.
    env: { ...env, CGO_ENABLED: "0" },
  });
  if (error)
    throw new UsageError(`Go is needed to build k6 (on Debian: sudo apt-get install golang-go): ${error.message}`);
  if (status !== 0) throw new UsageError(`go ${args[0]} failed; see its output above`);
  return stdout;
}
