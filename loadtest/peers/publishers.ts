/** Starts the publisher of a peer that has none of its own. */
import type { Market } from "./peer.ts";
import type { ManagedProcess, ProcessGroup } from "./process_group.ts";
import type { Destination, PublisherOrder } from "./publisher/order.ts";

/** Resolves when it publishes. */
export async function publisher(
  stage: ProcessGroup,
  { symbols, rate, seed }: Market,
  to: Destination,
): Promise<ManagedProcess> {
  const order: PublisherOrder = { symbols, rate, seed, to };
  const started = stage.startScript("publisher", "load", "publisher/main.ts", JSON.stringify(order));
  await started.waitForOutput(/publishing/);
  return started;
}
