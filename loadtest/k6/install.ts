/**
 * Builds k6 with Go, from the module that its authors publish. A Go that is too old, as Debian's may be, gets a newer one
 * as newer ones do it by themselves: as a module, whose checksum Go verifies (https://go.dev/doc/toolchain).
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { UsageError } from "../../src/settings/option.ts";
import { INSTALLED, VERSION } from "./find.ts";

const MODULE = "go.k6.io/k6/v2";
/** What its go.mod asks for, and the release that is taken where the machine's is older. */
const NEEDED = 25;
const TAKEN = "1.25.12";

/** A Go, and its environment. */
interface Go {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Builds it, unless it is there.
 * @param say is told what is being done
 * @returns where it is
 * @throws UsageError when there is no Go, or it fails
 */
export function installK6(say: (text: string) => void): string {
  if (existsSync(INSTALLED)) return INSTALLED;
  const folder = mkdtempSync(join(tmpdir(), "tickgate-k6-"));
  const unfinished = `${INSTALLED}.${process.pid}`;
  try {
    const go = newEnough(folder, say);
    say(`building k6 ${VERSION} with Go: some minutes`);
    const lines = ["module tickgate.example/k6", `go 1.${NEEDED}.0`, `require ${MODULE} v${VERSION}`];
    writeFileSync(join(folder, "go.mod"), `${lines.join("\n\n")}\n`);
    mkdirSync(dirname(INSTALLED), { recursive: true });
    run(go, folder, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", unfinished, MODULE);
    // Whoever looks meanwhile finds it whole or not at all.
    renameSync(unfinished, INSTALLED);
    return INSTALLED;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(unfinished, { force: true });
  }
}

/** The machine's Go if it is new enough, or a newer one that it fetches. */
function newEnough(folder: string, say: (text: string) => void): Go {
  const own: Go = { command: "go", env: process.env };
  const [, minor] = /go1\.(\d+)/.exec(run(own, folder, "version")) ?? [];
  if (Number(minor) >= NEEDED) return own;
  const [os, arch] = run(own, folder, "env", "GOOS", "GOARCH").trim().split(/\s+/);
  say(`Go 1.${minor} is too old to build k6: it fetches ${TAKEN}`);
  const module = `golang.org/toolchain@v0.0.1-go${TAKEN}.${os}-${arch}`;
  const { Dir: root } = JSON.parse(run(own, folder, "mod", "download", "-json", module)) as { Dir: string };
  // Modules hold no programs: the files of one are not executable.
  for (const programs of [join(root, "bin"), join(root, "pkg", "tool", `${os}_${arch}`)])
    for (const program of readdirSync(programs)) chmodSync(join(programs, program), 0o755);
  return { command: join(root, "bin", "go"), env: { ...process.env, GOROOT: root, GOTOOLCHAIN: "local" } };
}

/** Runs Go, and returns what it said. */
function run({ command, env }: Go, cwd: string, ...args: string[]): string {
  const { status, stdout, error } = spawnSync(command, args, {
    ...{ cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
    // Without a C compiler it can be built as well.
    env: { ...env, CGO_ENABLED: "0" },
  });
  if (error)
    throw new UsageError(`Go is needed to build k6 (on Debian: sudo apt-get install golang-go): ${error.message}`);
  if (status !== 0) throw new UsageError(`go ${args[0]} failed; what it said stands above`);
  return stdout;
}
