/** What a setting is, and the helpers that the tables of settings are written with. */
import { type Kind, text } from "./option.ts";

/** The commands that have settings. */
export type CommandName = "all" | "gateway" | "feed" | "watch" | "play" | "top" | "trace" | "revoke";

/** One setting. */
export interface Setting<T = unknown> {
  /** Without the dashes: `admin-port`. A list's flag may be given several times. */
  readonly flag: string;
  readonly env: string;
  readonly kind: Kind<T>;
  readonly default: T;
  /** What it does, and why it has the limit that it has. */
  readonly help: string;
  readonly commands: readonly CommandName[];
  /** Whether its value holds a secret: one that is wrong is not shown. */
  readonly secret?: boolean;
}

export const GATEWAY: readonly CommandName[] = ["all", "gateway"];
export const FEED: readonly CommandName[] = ["all", "feed"];
export const SERVERS: readonly CommandName[] = ["all", "gateway", "feed"];
/** The commands that connect to Redis. */
export const REDIS: readonly CommandName[] = [...SERVERS, "revoke"];
export const EVERY: readonly CommandName[] = ["all", "gateway", "feed", "watch", "play", "top", "trace", "revoke"];

/** Makes a setting; its name in the environment follows from the flag. */
export function setting<T>(
  commands: readonly CommandName[],
  flag: string,
  kind: Kind<T>,
  fallback: T,
  help: string,
  env = `TICKGATE_${flag.toUpperCase().replaceAll("-", "_")}`,
): Setting<T> {
  return { flag, env, kind, default: fallback, help, commands };
}

/** A setting whose value holds a secret. */
export function secret<T>(...parts: Parameters<typeof setting<T>>): Setting<T> {
  return { ...setting(...parts), secret: true };
}

export const WORD = text("NAME", "1 to 64 letters, digits, dots, dashes or underscores", /^[\w.-]{1,64}$/);
export const ADDRESS = text("HOST", "a host name or an IP address", /^[\w.:-]{1,253}$/);
