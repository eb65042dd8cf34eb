/** The Dockerfile, as far as it can be tested without Docker: what it copies exists, and what it runs works. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ClusterProcess } from "../scripts/cluster/cluster_process.ts";
import { answersOk, freePorts } from "../scripts/cluster/probe.ts";
import { ROOT, read } from "./support/compose.ts";

const dockerfile = read("Dockerfile").replaceAll("\\\n", " ");
const environment = Object.fromEntries(
  Array.from(dockerfile.matchAll(/^ENV (\w+)=(\S+)$/gm), ([, name, value]) => [name, value]),
);

/** The arguments of an instruction in JSON form. */
function words(instruction: string): string[] {
  const match = new RegExp(`^${instruction} (\\[.*\\])$`, "m").exec(dockerfile);
  return JSON.parse(match?.[1] ?? "[]") as string[];
}

test("its Node is a pinned one that runs the sources and that uWebSockets.js has a build for: glibc, 22.18 or later", () => {
  const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  assert.equal(new Set(images).size, 1, "packages are installed by the Node that runs them");
  const [, minor] = /^node:22\.(\d+)\.\d+-bookworm-slim$/.exec(images[0]) ?? [];
  assert.ok(Number(minor) >= 18, images[0]);
});

test("what it copies exists, and .dockerignore does not exclude it", () => {
  const kept = [...read(".dockerignore").matchAll(/^!(\S+)$/gm)].map(([, path]) => path);
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) => paths.split(" "));
  assert.deepEqual([...new Set(copied)].toSorted(), kept.toSorted());
  for (const path of copied) assert.ok(existsSync(`${ROOT}${path}`), path);
});

test("what it copies is enough to build the watchlist", (t) => {
  const [stage] = dockerfile.split("AS watchlist")[1].split(/^FROM/m);
  const folder = mkdtempSync(join(tmpdir(), "tickgate-image-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [, paths] of stage.matchAll(/^COPY (.+) \S+$/gm))
    for (const path of paths.split(" ")) cpSync(`${ROOT}${path}`, join(folder, path), { recursive: true });
  symlinkSync(`${ROOT}node_modules`, join(folder, "node_modules"));
  const [, ...command] = (/^RUN (node .+)$/m.exec(stage)?.[1] ?? "").split(" ");
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  const [, built] = /^COPY --from=watchlist \/app\/(\S+) \.\/\1$/m.exec(dockerfile) ?? [];
  assert.ok(existsSync(join(folder, built, "web/index.html")));
});

test("it runs as an ordinary user, and ends at SIGTERM", () => {
  assert.match(dockerfile, /^USER node$/m);
  assert.match(dockerfile, /^STOPSIGNAL SIGTERM$/m);
  assert.match(dockerfile, new RegExp(`^EXPOSE ${environment.TICKGATE_PORT} ${environment.TICKGATE_ADMIN_PORT}$`, "m"));
});

test("its command runs, and its health check notices a process that hangs", { timeout: 60_000 }, async (t) => {
  const [port, adminPort, nobody] = await freePorts(3);
  const [, ...entry] = words("ENTRYPOINT");
  const own = { TICKGATE_HOST: "127.0.0.1", TICKGATE_PORT: String(port), TICKGATE_ADMIN_PORT: String(adminPort) };
  const part = new ClusterProcess(
    {
      name: "tickgate",
      program: process.execPath,
      args: [`${ROOT}${entry[0]}`, ...words("CMD")],
      env: { ...environment, ...own },
      log: "stderr",
      ready: () => answersOk(`http://127.0.0.1:${adminPort}/readyz`),
      stopSignal: "SIGTERM",
      stopTime: 10_000,
    },
    { line() {}, started() {}, ended() {}, lost() {} },
  );
  t.after(() => part.stop());
  await part.start();

  const [, ...check] = words("HEALTHCHECK .*CMD");
  const health = (admin: number) =>
    spawnSync(process.execPath, check, { env: { ...process.env, TICKGATE_ADMIN_PORT: String(admin) } }).status;
  assert.equal(health(adminPort), 0);
  assert.equal(health(nobody), 1);
});
