/**
 * Protects the admin port from other sites' pages, which can make a browser inside the network send requests to it. The
 * browser sends the host name (Host) and the site of the page (Origin, Sec-Fetch-Site); programs send neither of the
 * last two.
 */
import type { IncomingHttpHeaders } from "node:http";
import { hostNameOf, isNumberOrLocal } from "../base/host_header.ts";

/**
 * Whether the host name of a request is accepted. A name that is not listed may belong to another site and resolve to
 * this address (DNS rebinding). A request without a Host is not from a browser.
 * @param names the listed names (`--admin-name`), in lower case
 */
export function isOwnHost(host: string | undefined, names: readonly string[]): boolean {
  if (host === undefined || isNumberOrLocal(host)) return true;
  const name = hostNameOf(host);
  return name !== undefined && names.includes(name);
}

/** Whether the request is, or may be, from another site's page: it must not change anything. */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return true;
  // A page can send a form without a script, and old browsers send no Origin; but a form never has this type.
  const type = headers["content-type"];
  return type !== undefined && type.split(";")[0].trim().toLowerCase() !== "application/json";
}
