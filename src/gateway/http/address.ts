/**
 * Who a client is, for the log, for `/status` and for the limit on connections from one address: the address that it
 * connects from, or, where that is a balancer's that is trusted, the one that the balancer tells.
 */
import { BlockList, isIP } from "node:net";

/** The longest user agent that is kept, in characters. */
const AGENT_LENGTH = 64;

/** The balancers that are believed: addresses and networks. */
export class TrustedProxies {
  readonly #networks = new BlockList();

  /** @param networks IP addresses, or networks such as `10.0.0.0/8` */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const [address, length] = text.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      this.#networks.addSubnet(address, length === undefined ? (family === "ipv6" ? 128 : 32) : Number(length), family);
    }
  }

  /** Whether what this address tells of others is believed. */
  trusts(address: string): boolean {
    const version = isIP(address);
    return version > 0 && this.#networks.check(address, version === 6 ? "ipv6" : "ipv4");
  }

  /**
   * The client's address. Each balancer appends the address that it was connected from, so the last that is no
   * balancer's of ours is the client's; what stands before it the client may have made up.
   * @param peer the address that the connection comes from, as {@link plainAddress} has it
   * @param forwarded all `X-Forwarded-For` headers in their order, with commas between
   */
  clientOf(peer: string, forwarded: string): string {
    let client = peer;
    const told = forwarded.split(",").reverse();
    for (const text of told) {
      if (!this.trusts(client)) break;
      const address = plainAddress(text.trim());
      // Behind what is no address nothing is believed.
      if (address === undefined) break;
      client = address;
    }
    return client;
  }
}

/**
 * An IP address in its short form, IPv4 in IPv6 as IPv4; undefined where the text is none. Brackets and a port, which
 * some balancers write, are left out.
 */
export function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const version = isIP(bare);
  if (version !== 6) return version === 4 ? bare : undefined;
  // A zone (fe80::1%eth0) is of one machine only.
  const short = new URL(`http://[${bare.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(short);
  if (!mapped) return short;
  const [high, low] = mapped.slice(1).map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/**
 * What limits on one client count by: an IPv4 address, and of an IPv6 address the first 64 bits, since a single client has a
 * network of that size to take addresses from.
 * @param address as {@link plainAddress} has it; what is no IPv6 address counts by itself
 */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [left, right] = address.split("::");
  const groups = left === "" ? [] : left.split(":");
  if (right !== undefined) {
    const tail = right === "" ? 0 : right.split(":").length;
    while (groups.length + tail < 8) groups.push("0");
  }
  if (right) groups.push(...right.split(":"));
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** A `User-Agent` as it is kept: a stranger's text, short and without what a terminal or a log would obey. */
export function shortAgent(header: string): string {
  return header
    .replace(/[^\x20-\x7e]+/g, "?")
    .trim()
    .slice(0, AGENT_LENGTH);
}
