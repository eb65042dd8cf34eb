/** Where Redis is, read from one address: a single server, a master that Sentinels name, or a Cluster. */
import { UsageError } from "../../../settings/option.ts";

/** A host and its port. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** What an address says. */
export interface RedisTarget {
  readonly topology: "standalone" | "sentinel" | "cluster";
  /** The server; the Sentinels; or some nodes of the Cluster, which names the others. */
  readonly nodes: readonly RedisNode[];
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  /** The number of the database; a Cluster has only 0. */
  readonly db: number;
  /** Sentinel: the name of the master. */
  readonly master: string;
  /** Sentinel: how to log in to the Sentinels themselves. */
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
}

const ADDRESS = /^(rediss?)(\+sentinel|\+cluster)?:\/\/(?:([^@/?]*)@)?([^/?@]*)(?:\/([^?@]*))?(?:\?(.*))?$/;
const NODE = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/;
const SENTINEL_PORT = 26_379;
const REDIS_PORT = 6_379;
const MAX_NODES = 100;

const FORMS =
  "redis://HOST:PORT[/DB], redis+sentinel://HOST:PORT,HOST:PORT/MASTER[/DB] or redis+cluster://HOST:PORT,HOST:PORT;" +
  " rediss for TLS; USER:PASSWORD@ before the hosts, with / ? @ and % in it percent-encoded";

/** What may stand behind a `?`. */
const OPTIONS = {
  standalone: "the Redis address has an option, and redis:// has none",
  sentinel: "the options of the Redis address must be sentinel-user and sentinel-password",
  cluster: "the Redis address has an option, and redis+cluster:// has none",
};

/**
 * Reads an address. Special characters in names and passwords are percent-encoded.
 * @throws UsageError that says what is wrong, and shows nothing of the address: where a password is not encoded, any
 * part of it may be a part of the password
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = ADDRESS.exec(url);
  if (!match) throw new UsageError(`the Redis address must be ${FORMS}`);
  const [, scheme, kind = "", login, hosts, path = "", query = ""] = match;
  const topology = kind === "" ? "standalone" : kind === "+sentinel" ? "sentinel" : "cluster";
  const nodes = parseNodes(hosts, topology === "sentinel" ? SENTINEL_PORT : REDIS_PORT);
  if (topology === "standalone" && nodes.length > 1)
    throw new UsageError("redis:// takes one host; several are for redis+sentinel:// or redis+cluster://");
  const parts = path.split("/").filter((part) => part !== "");
  const master = topology === "sentinel" ? decode(parts.shift() ?? "") : "";
  if (topology === "sentinel" && master === "")
    throw new UsageError("redis+sentinel:// must name the master: redis+sentinel://HOST:PORT/MASTER");
  return {
    topology,
    nodes,
    tls: scheme === "rediss",
    ...parseLogin(login),
    db: parseDb(parts, topology),
    master,
    ...parseQuery(query, topology),
  };
}

/** The address without its secrets, for the log. */
export function describeTarget(target: RedisTarget): string {
  const nodes = target.nodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
  const kind = target.topology === "standalone" ? "" : `+${target.topology}`;
  return `${target.tls ? "rediss" : "redis"}${kind}://${nodes}${target.master && `/${target.master}`}`;
}

function parseNodes(hosts: string, defaultPort: number): RedisNode[] {
  const texts = hosts.split(",").filter((text) => text !== "");
  if (texts.length === 0) throw new UsageError("the Redis address names no host");
  if (texts.length > MAX_NODES) throw new UsageError(`the Redis address names more than ${MAX_NODES} hosts`);
  return texts.map((text, index) => {
    const match = NODE.exec(text);
    const port = Number(match?.[2] ?? defaultPort);
    if (!match || port < 1 || port > 65_535)
      throw new UsageError(`host ${index + 1} of the Redis address must be HOST:PORT. It must be ${FORMS}`);
    return { host: match[1].replace(/^\[|\]$/g, ""), port };
  });
}

function parseLogin(login: string | undefined): Pick<RedisTarget, "username" | "password"> {
  if (login === undefined || login === "") return {};
  const colon = login.indexOf(":");
  // A word alone is a user without a password in a URL, which Redis has no use for: it is taken as a mistake.
  if (colon < 0) throw new UsageError("the Redis address has a user but no password: USER:PASSWORD@ or :PASSWORD@");
  const username = decode(login.slice(0, colon));
  const password = decode(login.slice(colon + 1));
  return username === "" ? { password } : { username, password };
}

function parseDb(parts: readonly string[], topology: RedisTarget["topology"]): number {
  if (parts.length === 0) return 0;
  if (parts.length > 1 || !/^\d{1,5}$/.test(parts[0]))
    throw new UsageError(`the database in the Redis address must be a number. It must be ${FORMS}`);
  const db = Number(parts[0]);
  if (topology === "cluster" && db !== 0) throw new UsageError("a Redis Cluster has only database 0");
  return db;
}

function parseQuery(
  query: string,
  topology: RedisTarget["topology"],
): Pick<RedisTarget, "sentinelUsername" | "sentinelPassword"> {
  const found: { sentinelUsername?: string; sentinelPassword?: string } = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (topology === "sentinel" && name === "sentinel-user") found.sentinelUsername = value;
    else if (topology === "sentinel" && name === "sentinel-password") found.sentinelPassword = value;
    else throw new UsageError(`${OPTIONS[topology]}. It must be ${FORMS}`);
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new UsageError("the Redis address has a % that is no percent-encoding: write %25", { cause: error });
  }
}
