/** The Host header of a request: the name under which the sender reached us. */
import { isIP } from "node:net";

/**
 * The name in lower case, without port and IPv6 brackets; undefined when the header is not valid.
 */
export function hostNameOf(host: string): string | undefined {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(host) ?? [];
  if (address !== undefined) return isIP(address) === 6 ? address.toLowerCase() : undefined;
  return name?.toLowerCase();
}

/**
 * Whether the sender has reached us by a number or as `localhost`. A name is not enough to be sure who the sender is:
 * anyone who owns a name can have it lead here, and a page of theirs would then be "ours" (DNS rebinding). These nobody
 * can give away.
 */
export function isNumberOrLocal(host: string): boolean {
  const name = hostNameOf(host);
  return name !== undefined && (name === "localhost" || isIP(name) > 0);
}
