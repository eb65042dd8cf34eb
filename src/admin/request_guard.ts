/**
 * What web pages of others may not do at the admin port: a browser inside of a network can be made to send requests to
 * it. It says under which name it does (Host), and for which page (Origin, Sec-Fetch-Site); programs say neither of the
 * last two.
 */
import type { IncomingHttpHeaders } from "node:http";
import { hostNameOf, isNumberOrLocal } from "../base/host_header.ts";

/**
 * Whether a request is answered under the name that it was sent to. A name that is not listed may be anyone's, which
 * leads here for now (DNS rebinding). Without a Host it is no browser's.
 * @param names those that are listed (`--admin-name`), in lower case
 */
export function isOwnHost(host: string | undefined, names: readonly string[]): boolean {
  if (host === undefined || isNumberOrLocal(host)) return true;
  const name = hostNameOf(host);
  return name !== undefined && names.includes(name);
}

/** Whether another site's page sends the request, or may: what changes something is not done for it. */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return true;
  // A form can be sent without a script, and by old browsers without an Origin; never with this type.
  const type = headers["content-type"];
  return type !== undefined && type.split(";")[0].trim().toLowerCase() !== "application/json";
}
