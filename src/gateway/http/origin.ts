/** Which web pages may connect. A browser sends the origin of the page, and a page cannot change it. */
import { isNumberOrLocal } from "../../base/host_header.ts";

/**
 * Whether a page may connect: its origin is listed (`--origin`), or it is the gateway's own page at an address that no
 * other site can have.
 * @param origins `*`, origins, and patterns such as `https://*.example.com`
 * @param host the request's Host
 */
export function isOriginAllowed(origins: readonly string[], origin: string, host: string): boolean {
  if (origins.some((listed) => listed === "*" || matches(listed, origin))) return true;
  const page = /^https?:\/\/(.+)$/.exec(origin)?.[1];
  return page !== undefined && page === host.toLowerCase() && isNumberOrLocal(host);
}

/**
 * Whether data may be sent to requests for a host name, and pages served under it may connect. With DNS rebinding, the
 * browser on another site's page sends requests to the gateway under that site's name. Behind a balancer the gateway
 * does not know whether the client uses TLS, so either origin is enough.
 */
export function isHostAllowed(origins: readonly string[], host: string): boolean {
  const name = host.toLowerCase();
  return (
    isOriginAllowed(origins, `http://${name.replace(/:80$/, "")}`, host) ||
    isOriginAllowed(origins, `https://${name.replace(/:443$/, "")}`, host) ||
    isNumberOrLocal(host)
  );
}

/** One or several DNS labels. */
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
