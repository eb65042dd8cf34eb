/** Whose web pages may connect: a browser tells from which origin a page is, and nothing else can. */
import { isIP } from "node:net";

/**
 * Whether a page may connect: its origin is listed (`--origin`), or it is the gateway's own page, at an address that
 * no other site can have. A name is not enough for that: whoever owns a name can have it point here, and a page of
 * theirs would then be "ours" (DNS rebinding). A number and `localhost` are nobody's to give away.
 * @param host the request's Host
 */
export function originAllowed(origins: readonly string[], origin: string, host: string): boolean {
  if (origins.includes("*") || origins.includes(origin)) return true;
  const page = /^https?:\/\/(.+)$/.exec(origin)?.[1];
  return page !== undefined && page === host.toLowerCase() && isNumberOrLocal(host);
}

/**
 * Whether the pages that the gateway serves under a name may connect to it. Behind a balancer it does not know whether
 * it is spoken to over TLS: either origin will do.
 */
export function hostAllowed(origins: readonly string[], host: string): boolean {
  return [`http://${host}`, `https://${host}`].some((origin) => originAllowed(origins, origin, host));
}

function isNumberOrLocal(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  return name === "localhost" || isIP(name.replace(/^\[(.*)\]$/, "$1")) > 0;
}
