/**
 * The market in the server's process, without Redis: `tickgate all`, and a minimal server that publishes the same
 * simulated ticks to uWebSockets.js' topics. The difference is the cost of what Tickgate does besides sending a tick.
 */
import { fileURLToPath } from "node:url";
import { productPackageVersion } from "./packages.ts";
import type { Market, Peer } from "./peer.ts";
import type { ProcessGroup } from "./process_group.ts";
import type { PublisherOrder } from "./publisher/order.ts";
import { startGateway, TICKGATE_CLIENT, tickgateVersion } from "./tickgate.ts";

const PLAIN = fileURLToPath(new URL("protocols/plain.ts", import.meta.url));

export const EMBEDDED: readonly Peer[] = [
  {
    name: "tickgate-embedded",
    title: "Tickgate embedded, every tick",
    isVariant: true,
    use: "`tickgate all` with the simulated market in it; MessagePack, `interval` 0",
    missing: () => undefined,
    version: tickgateVersion,
    async start(stage: ProcessGroup, { symbols, rate, seed, connections }: Market) {
      const feed = ["--feed", `sim:?symbols=${symbols}&rate=${rate}&seed=${seed}`];
      const { process: server, port } = await startGateway(stage, "all", connections, feed);
      return {
        ...{ port, server, helpers: [], redis: undefined },
        client: { module: TICKGATE_CLIENT, settings: { interval: 0 } },
      };
    },
  },
  {
    name: "uws-embedded",
    title: "uWebSockets.js embedded",
    isVariant: true,
    use: "the publisher is the server: a topic per symbol, one `publish` per tick, MessagePack, default options",
    missing: () => undefined,
    version: () => `uws-pack ${productPackageVersion("uWebSockets.js")}`,
    async start(stage: ProcessGroup, { symbols, rate, seed }: Market) {
      const order: PublisherOrder = { symbols, rate, seed, to: { via: "uws" } };
      const server = stage.startScript("uWebSockets.js", "server", "publisher/main.ts", JSON.stringify(order));
      const [, port] = await server.waitForOutput(/listening (\d+)/);
      return {
        ...{ port: Number(port), server, helpers: [], redis: undefined },
        client: { module: PLAIN, settings: {} },
      };
    },
  },
];
