/** The settings that a server command begins with: its feeds, its name, and where it listens. */
import { hostname } from "node:os";
import { integer, list, text } from "./option.ts";
import { ADDRESS, FEED, GATEWAY, SERVERS, setting, WORD } from "./setting.ts";

const feed = text("FEED", "ADAPTER:SYMBOLS?option=value", /^[a-z]+:\S*$/);

export const SERVER_SETTINGS = {
  feeds: setting(
    FEED,
    "feed",
    list(feed, /[\s;]+/),
    [] as string[],
    "A feed, ADAPTER:SYMBOLS?option=value; repeat the flag, or separate several with spaces in the environment",
    "TICKGATE_FEEDS",
  ),
  host: setting(SERVERS, "host", ADDRESS, "127.0.0.1", "The address to listen on; 0.0.0.0 for all"),
  port: setting(GATEWAY, "port", integer(0, 65_535), 8080, "The port for clients; 0 takes a free one"),
  adminHost: setting(
    SERVERS,
    "admin-host",
    ADDRESS,
    "127.0.0.1",
    "The address that the admin port listens on; 0.0.0.0 for all, where balancers and scrapers come from other machines",
  ),
  adminPort: setting(
    SERVERS,
    "admin-port",
    integer(0, 65_535),
    9090,
    "The port for /status, /healthz, /readyz and /metrics; 0 takes a free one",
  ),
  adminNames: setting(
    SERVERS,
    "admin-name",
    list(text("NAME", "a host name", /^[A-Za-z\d_][\w.-]{0,252}$/), /[\s,]+/),
    [] as string[],
    "A name under which the admin port may be asked, besides numbers and localhost; repeatable. Under any other name only health is told: it may be that of a web page that has its name lead here",
    "TICKGATE_ADMIN_NAMES",
  ),
  node: setting(SERVERS, "node", WORD, nodeName(), "The name of this node, as clients and /status tell it"),
} as const;

/** The host and the process, so that each node has a name of its own. */
function nodeName(): string {
  return `${
    hostname()
      .replace(/[^\w.-]/g, "-")
      .slice(0, 48) || "node"
  }-${process.pid}`;
}
