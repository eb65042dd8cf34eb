/** A process of the swarm: executes orders and answers each with a report. Started by coordinator.ts. */
import type { Share } from "./plan.ts";
import type { ProtocolModule, StreamChannel } from "./protocol.ts";
import { type Comparison, Swarm, type ValueComparison } from "./swarm.ts";
import type { SwarmResult } from "./tally.ts";

/** Orders to the worker, in the usual sequence. */
export type WorkerOrder =
  | { order: "open"; share: Share }
  | { order: "count" }
  | { order: "report" }
  | { order: "settle" }
  | { order: "behind"; seqs: Float64Array }
  | { order: "ahead"; seqs: Float64Array }
  | { order: "values"; seqs: Float64Array; values: Float64Array }
  | { order: "streams"; channel: StreamChannel; seqs: Float64Array }
  | {
      order: "contents";
      channel: StreamChannel;
      seqs: Float64Array;
      contents: ReadonlyMap<number, readonly number[]>;
    }
  | { order: "close" };
/** Reports from the worker. */
export type WorkerReport =
  | { report: "opened" }
  | { report: "counting" }
  | { report: "result"; result: SwarmResult }
  | { report: "settled" }
  | { report: "compared"; comparison: Comparison }
  | { report: "values"; comparison: ValueComparison }
  | { report: "closed" };

let swarm: Swarm | undefined;

async function create(share: Share): Promise<Swarm> {
  const { protocol, market, perConnection } = share.plan;
  const { createProtocol } = (await import(protocol.module)) as ProtocolModule;
  const { connections } = share;
  return new Swarm(share, createProtocol({ market, connections, perConnection, settings: protocol.settings }));
}

function opened(): Swarm {
  if (!swarm) throw new Error("the first order must be open");
  return swarm;
}

async function execute(message: WorkerOrder): Promise<WorkerReport> {
  switch (message.order) {
    case "open":
      swarm = await create(message.share);
      await swarm.open();
      return { report: "opened" };
    case "count":
      opened().startCounting();
      return { report: "counting" };
    case "report":
      return { report: "result", result: opened().result() };
    case "settle":
      opened().settle();
      return { report: "settled" };
    case "behind":
      return { report: "compared", comparison: opened().behind(message.seqs) };
    case "ahead":
      return { report: "compared", comparison: opened().ahead(message.seqs) };
    case "values":
      return { report: "values", comparison: opened().values(message.seqs, message.values) };
    case "streams":
      return { report: "compared", comparison: opened().streamsBehind(message.channel, message.seqs) };
    case "contents": {
      const { channel, seqs, contents } = message;
      return { report: "values", comparison: opened().contents(channel, seqs, contents) };
    }
    case "close":
      await opened().close();
      return { report: "closed" };
  }
}

process.on("message", async (message: WorkerOrder) => process.send?.(await execute(message)));
process.on("disconnect", () => process.exit());
