/** The policy: what each role may see. It is a JSON file; see docs/security.md. */
import { type Grant, GrantError, readGrants, readNumber, readObject } from "./grants.ts";

const MOST_ROLES = 1_000;
/** The most connections of a subject, and symbols of a connection, that a policy can allow. */
const MOST_CONNECTIONS = 1_000_000;
const MOST_SYMBOLS = 1_000_000;
/** A name of a role is a label of metrics. */
const ROLE_NAME = /^[\w.:-]{1,64}$/;

/** The role of clients without a token. */
export const ANONYMOUS = "anonymous";

export interface Role {
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Connections of one subject, and symbols of one connection; infinite where there is no limit. */
  readonly maxConnections: number;
  readonly maxSymbols: number;
}

/** Roles by name. */
export type Policy = ReadonlyMap<string, Role>;

/**
 * @param before the policy that this one replaces: a role that has not changed is the same object
 * @throws GrantError says what is wrong, and where
 */
export function readPolicy(text: string, before: Policy = new Map()): Policy {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new GrantError("the policy must be JSON");
  }
  const { roles } = readObject(value, "the policy", ["roles"]);
  if (roles === undefined) throw new GrantError("the policy must have the member roles");
  const members = Object.entries(readObject(roles, "roles", Object.keys(Object(roles))));
  if (members.length > MOST_ROLES) throw new GrantError(`roles must be at most ${MOST_ROLES}`);
  return new Map(
    members.map(([name, member]) => {
      const role = readRole(name, member);
      const old = before.get(name);
      return [name, old && JSON.stringify(old) === JSON.stringify(role) ? old : role];
    }),
  );
}

function readRole(name: string, value: unknown): Role {
  if (!ROLE_NAME.test(name))
    throw new GrantError("the name of a role must be 1 to 64 letters, digits, dots, colons, dashes or underscores");
  const path = `roles.${name}`;
  const role = readObject(value, path, ["grants", "connections", "symbolsPerConnection"]);
  if (role.grants === undefined) throw new GrantError(`${path} must have the member grants`);
  const none = Number.POSITIVE_INFINITY;
  return {
    name,
    grants: readGrants(role.grants, `${path}.grants`),
    maxConnections: readNumber(role.connections, `${path}.connections`, 0, MOST_CONNECTIONS, none),
    maxSymbols: readNumber(role.symbolsPerConnection, `${path}.symbolsPerConnection`, 0, MOST_SYMBOLS, none),
  };
}
