/**
 * The parts that the gateway's sessions share: one of each in a process. Only the composition root imports this file.
 */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import type { BusReader } from "../bus/bus.ts";
import type { Authority } from "../identity/identity.ts";
import { OPEN_AUTHORITY } from "../identity/open_authority.ts";
import { LineFile } from "../log/line_file.ts";
import { RateLimitedLog } from "../log/rate_limited_log.ts";
import { EncoderPool, quoteEncoders } from "../market/encoder_pool.ts";
import { GatewayTable } from "../market/gateway_table.ts";
import type { Settings } from "../settings/settings.ts";
import type { AccessLog } from "./access/access_record.ts";
import { ConnectedIdentities } from "./access/connected_identities.ts";
import { ChannelMarkets } from "./channel_markets.ts";
import { GatewayCounts } from "./counts.ts";
import { DelayedMarket } from "./delay/delayed_market.ts";
import { FlushScheduler } from "./fanout/flush_scheduler.ts";
import { Frame } from "./fanout/frame.ts";
import { Numbers } from "./fanout/numbers.ts";
import { StatusBatcher } from "./fanout/status_batcher.ts";
import { SUBSCRIPTION_NUMBERS } from "./fanout/subscription.ts";
import { type Publish, TopicIndex } from "./fanout/topic_index.ts";
import { Tracer } from "./latency/tracer.ts";
import { fieldListsThatFit } from "./memory_plan.ts";
import { CONNECTION_NUMBERS } from "./outbound/outbound_connection.ts";
import { StallWatch } from "./outbound/stall_watch.ts";
import { CommandScheduler } from "./session/command_scheduler.ts";

export interface GatewayContext {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  /** The log of what clients cause: it has a limit. */
  readonly events: RateLimitedLog;
  /** These and some below are of quotes. */
  readonly name: "quote";
  readonly bus: BusReader;
  readonly table: GatewayTable;
  readonly encoders: EncoderPool;
  readonly scheduler: FlushScheduler;
  /** The numbers of each connection and each subscription. */
  readonly numbers: { readonly connections: Numbers; readonly subscriptions: Numbers };
  readonly frame: Frame;
  readonly status: StatusBatcher;
  readonly counts: GatewayCounts;
  readonly topics: TopicIndex;
  readonly tracer: Tracer;
  readonly commands: CommandScheduler;
  readonly stalls: StallWatch;
  readonly authority: Authority;
  readonly identities: ConnectedIdentities;
  readonly delays: DelayedMarket;
  readonly markets: ChannelMarkets;
  /** Undefined: nothing is written. */
  readonly accessLog: AccessLog | undefined;
}

/**
 * Makes what sessions share, with an empty market.
 * @param publish sends broadcast frames: the server's
 * @param authority verifies tokens, and says what clients may see
 * @param commands may take half of the time that flushes have, unless it is given
 */
export function createContext(
  settings: Settings,
  bus: BusReader,
  clock: Clock,
  log: Logger,
  publish: Publish,
  authority: Authority = OPEN_AUTHORITY,
  commands = new CommandScheduler(clock, settings.sliceTime / 2),
): GatewayContext {
  const scheduler = new FlushScheduler(clock, settings.sliceTime);
  // Symbols that are only awaited take no room from those that tick.
  const table = new GatewayTable(settings.maxSymbols + settings.maxAwaitedSymbols + settings.maxDelayedRows);
  const frame = new Frame(table.heap);
  const counts = new GatewayCounts(settings);
  const topics = new TopicIndex({ scheduler, clock, table, frame, counts, publish });
  const quotes = {
    name: "quote" as const,
    bus,
    table,
    encoders: new EncoderPool(quoteEncoders(table), fieldListsThatFit(settings)),
    topics,
    status: new StatusBatcher(table, () => clock.micros()),
    delays: new DelayedMarket({ table, clock, settings, deliver: (row, seq) => topics.deliver(row, seq) }),
  };
  return {
    ...quotes,
    markets: new ChannelMarkets(quotes, { settings, scheduler, clock, frame, counts, publish, log }),
    settings,
    clock,
    log,
    events: new RateLimitedLog(log, clock),
    scheduler,
    numbers: { connections: new Numbers(CONNECTION_NUMBERS), subscriptions: new Numbers(SUBSCRIPTION_NUMBERS) },
    frame,
    counts,
    tracer: new Tracer(table),
    commands,
    stalls: new StallWatch(clock.millis()),
    accessLog: settings.accessLog === "" ? undefined : new LineFile(settings.accessLog, "--access-log"),
    authority,
    identities: new ConnectedIdentities(),
  };
}
