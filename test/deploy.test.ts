/** The files of a deployment agree with each other and with the code, in all ports and environment names. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { GATEWAY_ENV } from "../scripts/cluster/cluster.ts";
import { freePorts, waitUntil } from "../scripts/cluster/probe.ts";
import { parseFeeds } from "../src/feed/spec.ts";
import { readSettings } from "../src/settings/command_line.ts";
import type { CommandName } from "../src/settings/setting.ts";
import { settingsOf } from "../src/settings/settings.ts";
import {
  balancerDefaults,
  compose,
  environmentOf,
  portOf,
  ROOT,
  read,
  readYaml,
  tickgates,
} from "./support/compose.ts";

const services = Object.entries(compose.services);
const gateways = tickgates("gateway");
const feeds = tickgates("feed");
const haproxy = read("config/haproxy.cfg");
/** Debian installs servers in a folder that a user's PATH may lack. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

/** The settings of a service; those of the image first. */
function serviceSettings(name: string) {
  const service = compose.services[name];
  const image = Array.from(read("Dockerfile").matchAll(/^ENV (\w+)=(\S+)$/gm), ([, key, value]) => [key, value]);
  const environment = { ...Object.fromEntries(image), ...environmentOf(service) };
  const command = service.command?.[0] as CommandName;
  return { ...readSettings(command, [], environment), command };
}

/** The ports on which a service listens inside its network. */
function portsOf(name: string): number[] {
  if (name === "redis") return [Number(/^port (\d+)$/m.exec(read("config/redis.conf"))?.[1])];
  if (name === "haproxy")
    return [portOf(balancerDefaults.BALANCER_ADDRESS), portOf(balancerDefaults.BALANCER_ADMIN_ADDRESS)];
  // The ports of their images.
  if (name === "prometheus") return [9090];
  if (name === "grafana") return [3000];
  const { settings } = serviceSettings(name);
  return feeds.some(([feed]) => feed === name) ? [settings.adminPort] : [settings.port, settings.adminPort];
}

function seconds(text: string | undefined): number {
  return Number(/^(\d+)s$/.exec(text ?? "")?.[1]);
}

test("the topology: Redis, two feeds of the same name, gateways, balancer, Prometheus and Grafana", () => {
  assert.deepEqual(
    feeds.map(([name]) => name),
    ["feed1", "feed2"],
  );
  assert.ok(gateways.length >= 2);
  for (const name of ["redis", "haproxy", "prometheus", "grafana"]) assert.ok(compose.services[name], name);
  const published = feeds.map(([name]) => parseFeeds(serviceSettings(name).settings.feeds).map((feed) => feed.name));
  assert.deepEqual(published[0], published[1], "one can stand by for the other");
});

for (const [name] of [...gateways, ...feeds])
  test(`${name}: every environment name is a setting of its command, and its value is accepted`, () => {
    const { settings, unknownEnv, command } = serviceSettings(name);
    assert.deepEqual(unknownEnv, []);
    const known = new Set(settingsOf(command).map(([, setting]) => setting.env));
    assert.deepEqual(
      Object.keys(environmentOf(compose.services[name])).filter((key) => !known.has(key)),
      [],
    );
    assert.equal(settings.host, "0.0.0.0");
    const redis = new URL(settings.redisUrl);
    assert.equal(redis.protocol, "redis:");
    assert.ok(portsOf(redis.hostname).includes(portOf(settings.redisUrl)));
    assert.equal(
      settings.busShards,
      serviceSettings("gateway1").settings.busShards,
      "as many shards as the others have",
    );
  });

test("gateways here and in npm run cluster have the same settings", () => {
  for (const [name, service] of gateways)
    assert.deepEqual({ ...environmentOf(service), ...GATEWAY_ENV }, environmentOf(service), name);
});

test("each gateway and each feed has its service's name", () => {
  for (const [name] of [...gateways, ...feeds]) assert.equal(serviceSettings(name).settings.node, name);
});

test("what is published is listened on, each host port once", () => {
  const taken = new Set<string>();
  for (const [name, { ports = [] }] of services)
    for (const text of ports) {
      const [container, host] = text.split(":").reverse();
      assert.ok(portsOf(name).includes(Number(container)), `${name} listens on ${container}`);
      assert.ok(!taken.has(host), `${host} is published once`);
      taken.add(host);
    }
});

test("every mounted path exists, every volume is declared", () => {
  for (const [name, { volumes = [] }] of services)
    for (const volume of volumes) {
      const [source] = volume.split(":");
      if (source.startsWith("./")) assert.ok(existsSync(`${ROOT}${source}`), `${name}: ${source}`);
      else assert.ok(source in compose.volumes, `${name}: ${source}`);
    }
});

test("the dependencies of each service exist, and have a health check where one is needed", () => {
  for (const [name, { depends_on = [] }] of services) {
    const conditions = Array.isArray(depends_on)
      ? Object.fromEntries(depends_on.map((other) => [other, { condition: "service_started" }]))
      : depends_on;
    for (const [other, { condition }] of Object.entries(conditions as Record<string, { condition: string }>)) {
      assert.ok(compose.services[other], `${name} depends on ${other}`);
      if (condition === "service_healthy")
        assert.ok(compose.services[other].healthcheck, `${other} has a health check`);
    }
  }
});

/** A size as compose has it, in bytes. */
function bytesOf(text = ""): number {
  const [, count, unit] = /^(\d+)([mg])$/.exec(text) ?? [];
  return Number(count) * (unit === "g" ? 2 ** 30 : 2 ** 20);
}

for (const [name, service] of services)
  test(`${name} has a limit on its memory, and no rights that it does not need`, () => {
    assert.ok(bytesOf(service.mem_limit) > 0);
    assert.deepEqual(service.cap_drop, ["ALL"]);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"]);
    // Grafana keeps its database among its own files.
    assert.equal(service.read_only, name !== "grafana");
  });

test("memory limits are above Redis' data and above the limit of the alert", () => {
  const [, data] = /^maxmemory (\d+)gb$/m.exec(read("config/redis.conf")) ?? [];
  assert.ok(bytesOf(compose.services.redis.mem_limit) >= Number(data) * 2 ** 30 * 1.25);
  const [, alert] = /process_resident_memory_bytes\S* > (\S+)$/m.exec(read("dashboards/alerts.yml")) ?? [];
  assert.ok(Number(alert) > 0);
  for (const [name, { mem_limit }] of gateways) assert.ok(bytesOf(mem_limit) > Number(alert) * 1.25, name);
});

test("Redis has the same password as its clients, and compose explains a missing one", () => {
  const passwords = [...gateways, ...feeds].map(([, service]) => environmentOf(service).TICKGATE_REDIS_PASSWORD);
  passwords.push(environmentOf(compose.services.redis).REDISCLI_AUTH);
  assert.equal(new Set(passwords).size, 1);
  // With `:?` compose ends with the message where the variable is unset or empty.
  assert.match(passwords[0], /^\$\{REDIS_PASSWORD:\?.+ \.env\}$/);
  assert.match(read(".gitignore"), /^\.env$/m);
  assert.match(read(".dockerignore"), /^\*$/m);
});

test("Prometheus has the token of every admin port, which is in no file of the project", () => {
  const path = (compose as { secrets?: Record<string, { file: string }> }).secrets?.["admin-token"].file;
  assert.equal(path, "./.admin-token");
  assert.match(read(".gitignore"), /^\.admin-token$/m);
  const inside = "/run/secrets/admin-token";
  for (const [name, service] of [...gateways, ...feeds, ["prometheus", compose.services.prometheus] as const]) {
    assert.deepEqual((service as { secrets?: string[] }).secrets, ["admin-token"], name);
    if (name !== "prometheus") assert.equal(environmentOf(service).TICKGATE_ADMIN_TOKEN_FILE, inside);
  }
  interface Job {
    readonly job_name: string;
    readonly authorization?: { readonly credentials_file: string };
  }
  for (const { job_name, authorization } of readYaml<{ scrape_configs: Job[] }>("config/prometheus.yml").scrape_configs)
    assert.equal(authorization?.credentials_file, job_name === "haproxy" ? undefined : inside, job_name);
});

test("Redis requires the password, and its health check fails when it does not answer", async (t) => {
  const { command = [], healthcheck, user } = compose.services.redis;
  const [port] = portsOf("redis");
  const [ownPort] = await freePorts(1);
  // In compose files `$$` is a dollar sign.
  const here = (text: string) =>
    text
      .replaceAll("$$", "$")
      .replace("/etc/redis/redis.conf", `${ROOT}config/redis.conf --bind 127.0.0.1 --port ${ownPort} --dir ${tmpdir()}`)
      .replace(`-p ${port}`, `-p ${ownPort}`);
  const [program, ...args] = command.map(here);
  const password = 'a "b" $c';
  const server = spawn(program, args, { env: { ...env, REDISCLI_AUTH: password }, stdio: "ignore" });
  t.after(() => server.kill("SIGKILL"));
  const [kind, check] = healthcheck?.test ?? [];
  assert.equal(kind, "CMD-SHELL");
  const isHealthy = (password: string) =>
    spawnSync("sh", ["-c", here(check)], { env: { ...env, REDISCLI_AUTH: password } }).status === 0;
  assert.ok(await waitUntil(() => isHealthy(password), 10_000), "it is healthy");
  assert.ok(!isHealthy("another"));
  assert.ok(!isHealthy(""));
  const { stdout } = spawnSync("redis-cli", ["-p", String(ownPort), "get", "x"], { env, encoding: "utf8" });
  assert.match(stdout, /^NOAUTH/);
  // Its entry point would need rights to change the user.
  assert.equal(user, "redis");
});

test("every image is pinned; ours has the version of the package", () => {
  const { version } = JSON.parse(read("package.json")) as { version: string };
  for (const [name, { image, build }] of services) {
    assert.match(image, /:v?\d+\.\d+\.\d+(-\w+)?$/, name);
    if (build) assert.equal(image, `tickgate:${version}`);
  }
});

test("the balancer's servers are the gateways, at their ports, in both backends", () => {
  const expected = gateways.map(([name]) => name);
  for (const backend of ["gateways", "living"]) {
    const section = new RegExp(`^backend ${backend}\n((?: .*\n|\n)*)`, "m").exec(haproxy)?.[1] ?? "";
    const servers = [
      ...section.matchAll(/^ +server (\w+) "\$\{(\w+)\}" port "\$\{(\w+)\}" "\$\{GATEWAY_TLS\[\*\]\}"$/gm),
    ];
    assert.deepEqual(
      servers.map(([, name]) => name),
      expected,
      backend,
    );
    for (const [, name, address, adminPort] of servers) {
      const { settings } = serviceSettings(name);
      assert.equal(balancerDefaults[address], `${name}:${settings.port}`);
      assert.equal(Number(balancerDefaults[adminPort]), settings.adminPort);
    }
  }
});

test("times agree: tunnels are longer than heartbeats, checks notice a drain, and no process is killed while it drains", () => {
  for (const [name, service] of gateways) {
    const { heartbeat, drainDelay, drainSpread, maxConnections, maxConnectionsPerAddress } =
      serviceSettings(name).settings;
    assert.ok(seconds(/timeout tunnel +(\S+)/.exec(haproxy)?.[1]) * 1_000 > heartbeat * 3);
    assert.ok(Number(/ inter (\d+)ms .*fall 1 /.exec(haproxy)?.[1]) * 2 <= drainDelay, "two checks in the delay");
    assert.ok(seconds(service.stop_grace_period) * 1_000 > drainDelay + drainSpread + 1_000);
    assert.ok(maxConnectionsPerAddress >= maxConnections, "all come from the balancer");
  }
  const { stop_grace_period, stop_signal } = compose.services.haproxy;
  assert.ok(seconds(stop_grace_period) > seconds(/hard-stop-after (\S+)/.exec(haproxy)?.[1]));
  assert.equal(stop_signal, "SIGUSR1");
});

test("HAProxy accepts its configuration, without a warning where the names are known", () => {
  const addresses = Object.fromEntries(
    Object.keys(balancerDefaults).map((name, index) => [name, name.endsWith("PORT") ? "1" : `127.0.0.1:${index + 1}`]),
  );
  const check = (environment: NodeJS.ProcessEnv) =>
    spawnSync("haproxy", ["-c", "-f", "config/haproxy.cfg"], { cwd: ROOT, env: environment, encoding: "utf8" });
  const known = check({ ...env, ...addresses });
  assert.equal(known.status, 0, known.stderr);
  assert.doesNotMatch(known.stderr, /WARNING|ALERT/);
  // The names of the compose network are unknown here; everything else is the same.
  const composed = check(env);
  assert.equal(composed.status, 0, composed.stderr);
});

test("Prometheus scrapes the admin port of every process", () => {
  interface Scraping {
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  }
  const { rule_files, scrape_configs } = readYaml<Scraping>("config/prometheus.yml");
  const targets = scrape_configs.flatMap((job) => job.static_configs.flatMap((group) => group.targets));
  const ours = [...gateways, ...feeds].map(([name]) => `${name}:${serviceSettings(name).settings.adminPort}`);
  assert.deepEqual(
    targets.toSorted(),
    [...ours, `haproxy:${portOf(balancerDefaults.BALANCER_ADMIN_ADDRESS)}`].toSorted(),
  );
  for (const target of targets) {
    const name = target.split(":")[0];
    if (name === "haproxy") continue;
    const { adminHost, adminNames } = serviceSettings(name).settings;
    assert.equal(adminHost, "0.0.0.0", `${name} is asked from other containers`);
    assert.ok(adminNames.includes(name), `${name} is asked by its name`);
  }

  // The path from the configuration to the rules is the same in the container.
  const { command = [], volumes = [] } = compose.services.prometheus;
  const mounts = new Map(volumes.map((volume) => [volume.split(":")[1], volume.split(":")[0]]));
  const config = /^--config.file=(.*)$/.exec(command.find((word) => word.startsWith("--config.file")) ?? "")?.[1];
  assert.equal(mounts.get(config as string), "./config/prometheus.yml");
  for (const file of rule_files)
    assert.equal(
      mounts.get(new URL(file, `file://${config}`).pathname),
      `.${new URL(file, "file:///config/").pathname}`,
    );
});

test("Grafana finds Prometheus and its dashboards", () => {
  const sources = readYaml<{ datasources: { uid: string; url: string; isDefault: boolean }[] }>(
    "config/grafana/provisioning/datasources/prometheus.yml",
  );
  const [{ uid, url, isDefault }] = sources.datasources;
  assert.ok(portsOf(new URL(url).hostname).includes(portOf(url)));

  const { volumes = [] } = compose.services.grafana;
  const mounts = volumes.map((volume) => volume.split(":"));
  const here = (path: string) => {
    const [source, target] = mounts.find(([, inside]) => path.startsWith(inside)) ?? [];
    return `${ROOT}${source}${path.slice(target?.length)}`;
  };
  assert.ok(statSync(here("/etc/grafana/provisioning/datasources")).isDirectory());
  const { providers } = readYaml<{ providers: { options: { path: string } }[] }>(
    "config/grafana/provisioning/dashboards/tickgate.yml",
  );
  for (const { options } of providers) assert.ok(statSync(here(options.path)).isDirectory());
  const home = environmentOf(compose.services.grafana).GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
  assert.ok(existsSync(here(home)), home);
  // The dashboards use the first Prometheus that they find: the provisioned one.
  assert.ok(uid && isDefault);
});

test("the example of a settings file is accepted", () => {
  const { settings } = readSettings("all", ["--config", `${ROOT}config/tickgate.example.json`], {});
  assert.ok(parseFeeds(settings.feeds).length > 0);
});
