/** The peers' npm packages, which are not dependencies of the product. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** The command that installs them. */
export const INSTALL = "npm ci --prefix loadtest/peers";

/** Whether a package is installed. */
export function isInstalled(name: string): boolean {
  return existsSync(`${FOLDER}node_modules/${name}/package.json`);
}

/** The version of a package of this folder. */
export function packageVersion(name: string): string {
  return versionIn(`${FOLDER}node_modules/${name}`);
}

/** The version of a package of the product. */
export function productPackageVersion(name: string): string {
  return versionIn(`${FOLDER}../../node_modules/${name}`);
}

/** Installs them where they are missing, and shows npm's output. */
export function installPackages(): void {
  if (isInstalled("socket.io")) return;
  process.stderr.write(`installing the peers' packages: ${INSTALL}\n`);
  spawnSync("npm", ["ci", "--prefix", FOLDER], { stdio: ["ignore", "inherit", "inherit"] });
}

function versionIn(folder: string): string {
  return (JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { version: string }).version;
}
