/** Finds k6 on this machine, or explains how to install it. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The version that `install` builds, for which the load test was written; the script needs 2.x. */
export const VERSION = "2.2.0";
const OLDEST = 2;

const NAME = process.platform === "win32" ? "k6.exe" : "k6";
/** Where `npm run loadtest -- install` installs it. */
export const INSTALLED = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"),
  "tickgate",
  `k6-${VERSION}`,
  NAME,
);

export const HOW_TO_GET_IT =
  `k6 ${OLDEST}.x is neither in PATH nor in ~/go/bin. With Go on the machine, "npm run loadtest -- install" builds ` +
  `version ${VERSION}; other ways: https://grafana.com/docs/k6/latest/set-up/install-k6/`;

/** The path of k6; undefined if there is none that is new enough. */
export function findK6(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), "go", "bin")];
  return [...folders.map((folder) => join(folder || ".", NAME)), INSTALLED].find(isUsable);
}

function isUsable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return false;
  }
  const { stdout } = spawnSync(path, ["version"], { encoding: "utf8" });
  return Number(/v(\d+)\.\d+/.exec(stdout ?? "")?.[1] ?? 0) >= OLDEST;
}
