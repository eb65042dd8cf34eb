/** A request's headers, and the sender's address that follows from them. */
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { plainAddress, type TrustedProxies } from "./address.ts";

/** By name in lower case; headers of one name are joined with commas, which `getHeader` does not do. */
export type RequestHeaders = ReadonlyMap<string, string>;

export function headersOf(req: HttpRequest): RequestHeaders {
  const headers = new Map<string, string>();
  req.forEach((name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return headers;
}

/** The address at the other end of the socket, and the client's: they differ behind a trusted balancer. */
export interface Sender {
  readonly peer: string;
  readonly client: string;
}

export function senderOf(res: HttpResponse, headers: RequestHeaders, proxies: TrustedProxies): Sender {
  const peer = peerOf(res);
  if (!proxies.trusts(peer)) return { peer, client: peer };
  return { peer, client: proxies.clientOf(peer, headers.get("x-forwarded-for") ?? "") };
}

/** The address at the other end of the socket. */
export function peerOf(res: HttpResponse): string {
  const text = Buffer.from(res.getRemoteAddressAsText()).toString();
  return plainAddress(text) ?? text;
}
