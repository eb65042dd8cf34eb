/**
 * The address of a client, for the log, `/status` and limits per address: the peer's address, or, when the peer is a
 * trusted balancer, the address that the balancer reports.
 */
import { BlockList, isIP } from "node:net";

/** The longest user agent that is stored, in characters. */
const AGENT_LENGTH = 64;

/** The balancers whose headers are trusted: addresses and networks. */
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

  /** Whether the `X-Forwarded-For` of this address is trusted. */
  trusts(address: string): boolean {
    const version = isIP(address);
    return version > 0 && this.#networks.check(address, version === 6 ? "ipv6" : "ipv4");
  }

  /**
   * The client's address. Each balancer appends the address of its own peer, so the last address that is no trusted
   * balancer is the client's; the client may have invented those before it.
   * @param peer the address that the connection comes from, in the form of {@link plainAddress}
   * @param forwarded all `X-Forwarded-For` headers in order, joined with commas
   */
  clientOf(peer: string, forwarded: string): string {
    let client = peer;
    const reported = forwarded.split(",").reverse();
    for (const text of reported) {
      if (!this.trusts(client)) break;
      const address = plainAddress(text.trim());
      // What precedes a text that is no address is not trusted.
      if (address === undefined) break;
      client = address;
    }
    return client;
  }
}

/**
 * An IP address in its short form, IPv4-mapped IPv6 as IPv4; undefined when the text is none. Brackets and a port,
 * which some balancers write, are removed.
 */
export function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const version = isIP(bare);
  if (version !== 6) return version === 4 ? bare : undefined;
  // A zone (fe80::1%eth0) has a meaning on one machine only.
  const short = new URL(`http://[${bare.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(short);
  if (!mapped) return short;
  const [high, low] = mapped.slice(1).map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/**
 * The key for limits per client: the IPv4 address, or the first 64 bits of an IPv6 address, because one client usually
 * has a whole network of that size.
 * @param address in the form of {@link plainAddress}; any other text is its own key
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

/** A `User-Agent` as it is stored: the client's text, shortened, without control characters. */
export function shortAgent(header: string): string {
  return header
    .replace(/[^\x20-\x7e]+/g, "?")
    .trim()
    .slice(0, AGENT_LENGTH);
}
