/** What the gateway's sessions share: one of each in a process. */
import type { Logger } from "pino";
import type { BusReader } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import { LogLimit } from "../log_limit.ts";
import { EncoderPool } from "../market/encoder.ts";
import { MarketTable } from "../market/table.ts";
import type { Settings } from "../settings.ts";
import { CommandScheduler } from "./command_scheduler.ts";
import { GatewayCounts } from "./counts.ts";
import { Frame } from "./frame.ts";
import { TopicIndex } from "./immediate.ts";
import { fieldListsThatFit } from "./memory_plan.ts";
import { Numbers } from "./numbers.ts";
import { CONNECTION_NUMBERS } from "./outlet.ts";
import { FlushScheduler } from "./pacer.ts";
import { StallWatch } from "./stall_watch.ts";
import { StatusBatcher } from "./status.ts";
import { SUBSCRIPTION_NUMBERS } from "./subscription.ts";
import { Tracer } from "./tracer.ts";

export interface GatewayContext {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  /** The log of what clients cause: it has a limit. */
  readonly events: LogLimit;
  readonly bus: BusReader;
  readonly table: MarketTable;
  readonly encoders: EncoderPool;
  readonly scheduler: FlushScheduler;
  /** What there is one of for each connection and each subscription. */
  readonly numbers: { readonly connections: Numbers; readonly subscriptions: Numbers };
  readonly frame: Frame;
  readonly status: StatusBatcher;
  readonly counts: GatewayCounts;
  readonly topics: TopicIndex;
  readonly tracer: Tracer;
  /** Carries out what clients ask for. */
  readonly commands: CommandScheduler;
  readonly stalls: StallWatch;
}

/** Makes what sessions share, with an empty market. @param commands half of the time that flushes have, unless it is given */
export function createContext(
  settings: Settings,
  bus: BusReader,
  clock: Clock,
  log: Logger,
  commands = new CommandScheduler(clock, settings.sliceTime / 2),
): GatewayContext {
  const pacer = new FlushScheduler(clock, settings.sliceTime);
  // Symbols that are only awaited take no room from those that tick.
  const table = new MarketTable(settings.maxSymbols + settings.maxAwaitedSymbols);
  const frame = new Frame(table.heap);
  const counts = new GatewayCounts(settings);
  return {
    settings,
    clock,
    log,
    events: new LogLimit(log, clock),
    bus,
    table,
    encoders: new EncoderPool(table, fieldListsThatFit(settings)),
    scheduler: pacer,
    numbers: { connections: new Numbers(CONNECTION_NUMBERS), subscriptions: new Numbers(SUBSCRIPTION_NUMBERS) },
    frame,
    status: new StatusBatcher(table, () => clock.micros()),
    counts,
    topics: new TopicIndex({ pacer, clock, table, frame, counts }),
    tracer: new Tracer(table),
    commands,
    stalls: new StallWatch(clock.millis()),
  };
}
