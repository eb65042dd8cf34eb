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
