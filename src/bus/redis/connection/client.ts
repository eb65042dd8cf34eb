/** How clients of ioredis are made, for every topology: what they try again, how soon, and what they give up. */
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { UsageError } from "../../../settings/option.ts";
import { parseRedisUrl, type RedisNode, type RedisTarget } from "./url.ts";

/** A client of any topology. */
export type RedisClient = Redis | Cluster;

/** Where Redis is, and how to log in. */
export interface RedisAccess {
  readonly target: RedisTarget;
  /** The certificates that the server's must be signed by, PEM; undefined for those that Node trusts. */
  readonly ca?: string;
  /** What this process is called in `CLIENT LIST`. */
  readonly name: string;
}

/** How long a connection may take to come about, in milliseconds. */
const CONNECT_TIMEOUT = 2_000;
/**
 * Longest wait between two tries, in milliseconds: a quarter of the time within which the bus must have recovered.
 * After a failover the first try may come to a server that does not lead yet, and the next one must still be in time.
 */
const MAX_RETRY_DELAY = 500;
/** How long a connection that is given up may still say something, in milliseconds. */
const DISCONNECT_TIMEOUT = 200;

/**
 * The wait before try number `times`, in milliseconds: it doubles from 50 to 500, and half of it is chance, so that a
 * hundred nodes do not come back at once.
 */
export function retryDelay(times: number): number {
  const delay = Math.min(MAX_RETRY_DELAY, 25 * 2 ** Math.min(times, 10));
  return Math.round(delay * (0.5 + Math.random() / 2));
}

/**
 * Reads the settings that say where Redis is.
 * @throws UsageError
 */
export function redisAccess(settings: {
  redisUrl: string;
  redisUsername: string;
  redisPassword: string;
  redisCa: string;
  node: string;
}): RedisAccess {
  const target = parseRedisUrl(settings.redisUrl);
  return {
    target: {
      ...target,
      ...(settings.redisUsername !== "" && { username: settings.redisUsername }),
      ...(settings.redisPassword !== "" && { password: settings.redisPassword }),
    },
    ...(settings.redisCa !== "" && { ca: readCertificates(settings.redisCa) }),
    name: `tickgate-${settings.node}`,
  };
}

/** A client that has not connected yet. A command that cannot be sent at once fails; nothing waits in a queue. */
export function createClient(access: RedisAccess, role: string): RedisClient {
  const { target } = access;
  const [first] = target.nodes;
  if (target.topology === "standalone") return new Redis({ ...nodeOptions(access, role), ...first, db: target.db });
  if (target.topology === "sentinel") return new Redis({ ...nodeOptions(access, role), ...sentinelOptions(access) });
  return new Cluster(
    target.nodes.map((node) => ({ ...node })),
    {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: CONNECT_TIMEOUT,
      slotsRefreshInterval: 2_000,
      // A failover is over after a few of these; the callers try again by themselves.
      maxRedirections: 4,
      redisOptions: clusterOptions(access, role),
    },
  );
}

/** A client of one node of a Cluster, which does not come back by itself once it is lost. */
export function createNodeClient(access: RedisAccess, node: RedisNode, role: string): Redis {
  return new Redis({ ...nodeOptions(access, role), ...node, retryStrategy: () => null });
}

function nodeOptions(access: RedisAccess, role: string): RedisOptions {
  return { ...clusterOptions(access, role), retryStrategy: retryDelay, enableOfflineQueue: false };
}

function clusterOptions(access: RedisAccess, role: string) {
  const { username, password } = access.target;
  return {
    lazyConnect: true,
    connectionName: `${access.name}-${role}`,
    connectTimeout: CONNECT_TIMEOUT,
    disconnectTimeout: DISCONNECT_TIMEOUT,
    keepAlive: 5_000,
    // What was not answered before a connection was lost fails at once: the bus knows better what to send now.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // A master that became a replica refuses writes: look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(access.target.tls && { tls: tlsOptions(access) }),
  };
}

function sentinelOptions(access: RedisAccess): RedisOptions {
  const { target } = access;
  return {
    sentinels: target.nodes.map((node) => ({ ...node })),
    name: target.master,
    db: target.db,
    sentinelRetryStrategy: retryDelay,
    sentinelReconnectStrategy: retryDelay,
    sentinelCommandTimeout: CONNECT_TIMEOUT,
    failoverDetector: true,
    ...(target.tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(access) }),
    ...(target.sentinelUsername !== undefined && { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword !== undefined && { sentinelPassword: target.sentinelPassword }),
  };
}

function tlsOptions(access: RedisAccess): ConnectionOptions {
  return access.ca === undefined ? {} : { ca: access.ca };
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the certificates of Redis: ${(error as Error).message}`, { cause: error });
  }
}
