/** docker-compose.yml for tests: services with their environment, ports, mounts and dependencies. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The repository's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly mem_limit?: string;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly read_only?: boolean;
  readonly user?: string;
  readonly stop_grace_period?: string;
  readonly stop_signal?: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** A file of the repository. */
export function read(path: string): string {
  return readFileSync(`${ROOT}${path}`, "utf8");
}

/** A YAML file of the repository; merge keys (`<<`) are applied, as Docker does. */
export function readYaml<T>(path: string): T {
  return parse(read(path), { merge: true }) as T;
}

export const compose = readYaml<Compose>("docker-compose.yml");

/** The environment of a service's process. */
export function environmentOf(service: Service): Record<string, string> {
  return Object.fromEntries(Object.entries(service.environment ?? {}).map(([name, value]) => [name, String(value)]));
}

/** The services that run a tickgate command. */
export function tickgates(command: string): [string, Service][] {
  return Object.entries(compose.services).filter(([, service]) => service.command?.[0] === command && service.build);
}

/** The defaults of config/haproxy.cfg. */
export const balancerDefaults: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from(read("config/haproxy.cfg").matchAll(/^ *presetenv (\S+) (\S+)$/gm), ([, name, value]) => [name, value]),
);

/** The port at the end of an address. */
export function portOf(address: string): number {
  return Number(/:(\d+)\/?$/.exec(address)?.[1]);
}
