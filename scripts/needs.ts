/**
 * Checks the system packages that the tests need: real servers instead of fakes. On Debian as root it installs them;
 * elsewhere it prints the command and exits with 2. The languages of examples/ and k6 are optional: it lists what is
 * skipped. TEST_ALL=1 makes them required.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findK6 } from "../loadtest/k6/find.ts";
import { installK6 } from "../loadtest/k6/install.ts";
import { UsageError } from "../src/settings/option.ts";

/** A program that tests run, and its Debian packages. */
interface Need {
  /** A program, or Python modules that one Python must have. */
  readonly program: string;
  readonly arePythonModules?: boolean;
  readonly packages: readonly string[];
  readonly why: string;
  /** Whether tests can be skipped without it. */
  readonly isOptional?: boolean;
}

/** The second is Debian's Python, which has the modules of Debian's packages. */
const PYTHONS = ["python3", "/usr/bin/python3"];

const NEEDS: readonly Need[] = [
  { program: "redis-server", packages: ["redis-server"], why: "the bus between processes" },
  { program: "redis-cli", packages: ["redis-tools"], why: "the Redis Cluster of the fault tests" },
  { program: "haproxy", packages: ["haproxy"], why: "the balancer before the gateways" },
  { program: "prometheus", packages: ["prometheus"], why: "the dashboards' queries and the alert rules" },
  { program: "script", packages: ["bsdutils"], why: "a terminal for tickgate watch" },
  { program: "chromium", packages: ["chromium"], why: "the watchlist, and the page in examples/" },
  { program: "openssl", packages: ["openssl"], why: "the certificate of the TLS tests" },
  { program: "python3", packages: ["python3"], why: "the publisher in examples/" },
  {
    program: "redis, msgpack",
    arePythonModules: true,
    packages: ["python3-redis", "python3-msgpack"],
    why: "the publisher in examples/",
  },
  {
    program: "websockets, msgpack",
    arePythonModules: true,
    packages: ["python3-websockets", "python3-msgpack"],
    why: "the client in examples/python",
    isOptional: true,
  },
  {
    program: "go",
    // Downloading its modules needs the certificates.
    packages: ["golang-go", "ca-certificates"],
    why: "the client in examples/go",
    isOptional: true,
  },
];

function found({ program, arePythonModules = false }: Need): boolean {
  if (arePythonModules)
    return PYTHONS.some((python) => spawnSync(python, ["-c", `import ${program}`], { stdio: "ignore" }).status === 0);
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs a command and shows its output. The caller checks for the programs again. */
function run(command: string, ...args: string[]): void {
  // The tests start the servers themselves: the packages must not start services.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], env });
}

const isAllNeeded = process.env.TEST_ALL === "1";
const absent = NEEDS.filter((need) => !found(need));
const missing = absent.filter(({ isOptional = false }) => isAllNeeded || !isOptional);
for (const { program, packages, why } of absent.filter((need) => !missing.includes(need)))
  say(`left out: ${why}, for which ${program} is missing (on Debian: sudo apt-get install ${packages.join(" ")})`);
if (missing.length > 0) {
  for (const need of missing) say(`missing: ${need.program} (${need.why})`);
  const packages = [...new Set(missing.flatMap((need) => need.packages))];
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const canInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (canInstall) {
    say(`installing: ${packages.join(" ")}`);
    run("apt-get", "update");
    run(install[0], ...install.slice(1));
  }
  const still = missing.filter((need) => !found(need));
  if (still.length > 0) {
    say(`The tests need ${still.map((need) => need.program).join(", ")}. On Debian or Ubuntu:`);
    say(
      `  sudo apt-get update && sudo apt-get install -y ${[...new Set(still.flatMap((need) => need.packages))].join(" ")}`,
    );
    process.exitCode = 2;
  }
}

// Debian has no package of k6, so it is built with Go.
if (findK6() === undefined && !isAllNeeded)
  say("left out: the load test, for which k6 is missing (npm run loadtest -- install)");
else if (findK6() === undefined && process.exitCode !== 2)
  try {
    say(`installed: ${installK6(say)}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(`missing: k6 (the load test). ${error.message}`);
    process.exitCode = 2;
  }
