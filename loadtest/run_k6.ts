/**
 * `npm run loadtest`: starts a gateway on free ports, runs ticker.ts against it with k6, and ends both. What stands
 * behind `--` goes to k6: `npm run loadtest -- -e SECONDS=60`.
 *
 * The summary goes to the terminal and, as JSON, to the file named in LOADTEST_SUMMARY, where there is one. Exit code:
 * k6's own (99 when a threshold was crossed), or 2 when there is no k6.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../src/option.ts";
import { GatewayProcess } from "./gateway_process.ts";

const SCRIPT = fileURLToPath(new URL("ticker.ts", import.meta.url));
/** The version that the script was written for, and an earlier one that runs it as well. */
const INSTALL = "go install go.k6.io/k6/v2@v2.3.0 (or, where that cannot be had, go install go.k6.io/k6@v1.8.1)";

/** @throws UsageError when it is not installed */
function findK6(): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), "go", "bin")];
  for (const folder of folders) {
    const path = join(folder || ".", process.platform === "win32" ? "k6.exe" : "k6");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  throw new UsageError(`k6 is neither in PATH nor in ~/go/bin. With Go installed: ${INSTALL}`);
}

async function run(args: readonly string[]): Promise<number> {
  const k6 = findK6();
  const gateway = await GatewayProcess.start(["--feed", "sim:?symbols=1000&rate=20000"]);
  try {
    const url = `ws://127.0.0.1:${gateway.port}/v1/stream`;
    const summary = process.env.LOADTEST_SUMMARY;
    const output = summary ? ["--summary-export", summary] : [];
    // Nothing is reported to anyone, and no port is opened for k6's own interface.
    const flags = ["--no-usage-report", "--address", "", "--quiet", ...output, "-e", `URL=${url}`, ...args];
    const child = spawn(k6, ["run", ...flags, SCRIPT], { stdio: "inherit" });
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    await gateway.stop();
  }
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`loadtest: ${error.message}\n`);
  process.exitCode = 2;
}
