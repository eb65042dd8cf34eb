/** Whose web pages may connect: a browser tells from which origin a page is, and nothing else can. */
import { isNumberOrLocal } from "../../base/host_header.ts";

/**
 * Whether a page may connect: its origin is listed (`--origin`), or it is the gateway's own page, at an address that
 * no other site can have.
 * @param origins `*`, origins, and patterns such as `https://*.example.com`
 * @param host the request's Host
 */
export function originAllowed(origins: readonly string[], origin: string, host: string): boolean {
  if (origins.some((listed) => listed === "*" || matches(listed, origin))) return true;
  const page = /^https?:\/\/(.+)$/.exec(origin)?.[1];
  return page !== undefined && page === host.toLowerCase() && isNumberOrLocal(host);
}

/**
 * Whether data may be given out under a name, and the pages that are served under it may connect: the browser of somebody who has
 * opened another site's page asks under that site's name (DNS rebinding). Behind a balancer the gateway does not know whether it is
 * spoken to over TLS: either origin will do.
 */
export function hostAllowed(origins: readonly string[], host: string): boolean {
  const name = host.toLowerCase();
  return (
    originAllowed(origins, `http://${name.replace(/:80$/, "")}`, host) ||
    originAllowed(origins, `https://${name.replace(/:443$/, "")}`, host) ||
    isNumberOrLocal(host)
  );
}

/** One label or several, as DNS has them. */
const LABELS = /^[a-z\d_-]+(\.[a-z\d_-]+)*$/;

function matches(listed: string, origin: string): boolean {
  const star = listed.indexOf("*.");
  if (star < 0) return listed === origin;
  const scheme = listed.slice(0, star);
  const domain = listed.slice(star + 1);
  return (
    origin.length > scheme.length + domain.length &&
    origin.startsWith(scheme) &&
    origin.endsWith(domain) &&
    LABELS.test(origin.slice(scheme.length, -domain.length))
  );
}
