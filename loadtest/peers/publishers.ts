/** Starts the publisher of a peer that has none of its own. */
import type { Market } from "./peer.ts";
import type { PublisherOrder, Way } from "./publisher/order.ts";
import type { Stage, StageProcess } from "./process_group.ts";

/** Resolves when it publishes. */
export async function publisher(stage: Stage, { symbols, rate, seed }: Market, to: Way): Promise<StageProcess> {
  const order: PublisherOrder = { symbols, rate, seed, to };
  const started = stage.script("publisher", "load", "publisher/main.ts", JSON.stringify(order));
  await started.said(/publishing/);
  return started;
}
