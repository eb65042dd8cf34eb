/** Starts the comparison's publisher (publisher/main.ts). */
import type { Market } from "./peer.ts";
import type { ManagedProcess, ProcessGroup } from "./process_group.ts";
import type { Destination, PublisherOrder } from "./publisher/order.ts";

/** Resolves when the publisher runs. */
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
