/**
 * A gateway node: the market table, the flush scheduler, the sessions and the server, put together; its start and its
 * end.
 */
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import type { BusReader } from "../bus/bus.ts";
import type { Authority } from "../identity/identity.ts";
import { OPEN_AUTHORITY } from "../identity/open_authority.ts";
import type { EncoderPool } from "../market/encoder_pool.ts";
import type { GatewayTable } from "../market/gateway_table.ts";
import type { Settings } from "../settings/settings.ts";
import type { ConnectedIdentities } from "./access/connected_identities.ts";
import type { ChannelMarkets } from "./channel_markets.ts";
import { createContext, type GatewayContext } from "./context.ts";
import type { GatewayCounts } from "./counts.ts";
import type { DelayedMarket } from "./delay/delayed_market.ts";
import type { FlushScheduler } from "./fanout/flush_scheduler.ts";
import type { Publish } from "./fanout/topic_index.ts";
import { HealthWatch } from "./health_watch.ts";
import { GatewayServer } from "./http/server.ts";
import { createApps } from "./http/tls_apps.ts";
import type { TlsCertificate } from "./http/tls_certificate.ts";
import { Ingest } from "./ingest.ts";
import { MOST_TRACES, type TraceOutput, type TraceRequest } from "./latency/tracer.ts";
import { Maintenance } from "./maintenance.ts";
import { Session } from "./session/session.ts";

/** Sessions that are closed in one turn of the event loop when the node drains. */
const BYES_PER_SLICE = 200;

/** What reports read of a gateway; they change nothing. */
export interface GatewayState
  extends Pick<GatewayContext, "settings" | "clock" | "bus" | "table" | "counts" | "scheduler"> {
  readonly sessions: ReadonlySet<Session>;
}

export class Gateway {
  readonly table: GatewayTable;
  readonly counts: GatewayCounts;
  readonly scheduler: FlushScheduler;
  readonly encoders: EncoderPool;
  readonly #context: GatewayContext;
  readonly #server: GatewayServer;
  readonly #watch: HealthWatch;
  readonly #maintenance: Maintenance;
  #listening = false;
  #draining = false;
  /** The longest delay of the policy, ms, and whether all of the bus is followed because of it. */
  #longestDelay = 0;
  #followsAll = false;

  /**
   * @param authority verifies tokens, and says what clients may see
   * @param certificate of the clients' port; without one it does not speak TLS
   */
  constructor(
    settings: Settings,
    bus: BusReader,
    clock: Clock,
    log: Logger,
    authority: Authority = OPEN_AUTHORITY,
    certificate?: TlsCertificate,
  ) {
    const apps = createApps(certificate);
    const publish: Publish = (topic, frame, isBinary) => {
      apps.publish(topic, frame, isBinary);
    };
    this.#context = createContext(settings, bus, clock, log, publish, authority);
    this.table = this.#context.table;
    this.counts = this.#context.counts;
    this.scheduler = this.#context.scheduler;
    this.encoders = this.#context.encoders;
    this.#server = new GatewayServer(apps, this.#context, (socket, id) => new Session(this.#context, socket, id));
    authority.onChange(() => this.#reviewIdentities());
    this.#watch = new HealthWatch(this.#context.events);
    this.#maintenance = new Maintenance(this.#context, this.#server.sessions, (now) => {
      this.#context.markets.maintain();
      this.#checkHealth(now);
    });
  }

  /**
   * Listens for clients, and reads the bus.
   * @param sharedPort whether other processes listen on the same port
   * @returns the port
   * @throws UsageError when the address cannot be listened on
   */
  async start(sharedPort = false): Promise<number> {
    const { settings, bus, clock, log, topics, tracer, delays, markets } = this.#context;
    const port = await this.#server.listen(settings.host, settings.port, sharedPort);
    this.scheduler.start();
    this.#context.commands.start();
    this.#maintenance.start();
    this.#recordDelayed();
    delays.start();
    // All of the market is read once, for patterns and /v1/symbols; afterwards only what clients want is followed.
    bus.follow();
    bus.start(new Ingest(this.table, topics, this.counts, clock, tracer, delays)).then(
      () => bus.unfollow(),
      (error: unknown) => {
        if (!this.#draining) log.error({ err: error }, "the bus cannot be listened to");
      },
    );
    if (settings.keepTrades) markets.of("trade").bus.follow();
    this.#listening = true;
    this.#checkHealth(clock.millis());
    return port;
  }

  /** Connections whose ticks are broadcast while the node keeps up. */
  get broadcastConnections(): number {
    return this.#context.topics.broadcastConnections;
  }

  /** The sockets of the clients' port, and how many there may be. */
  get sockets(): { readonly count: number; readonly limit: number } {
    return this.#server.sockets;
  }

  /** Connections by subject and role. */
  get identities(): ConnectedIdentities {
    return this.#context.identities;
  }

  /** What there is of each channel that is in use. */
  get markets(): ChannelMarkets {
    return this.#context.markets;
  }

  /** Rows that show symbols late. */
  get delays(): DelayedMarket {
    return this.#context.delays;
  }

  /** HTTP responses that clients have not read yet. */
  get pendingResponses(): number {
    return this.#server.pendingResponses;
  }

  /** Why clients should not be sent here, or undefined when they should. */
  unready(): string | undefined {
    if (this.#draining) return "draining";
    if (!this.#listening) return "not listening";
    return this.#context.bus.unready();
  }

  /** The state that reports are made of. */
  get state(): GatewayState {
    const { settings, clock, bus, table, counts, scheduler } = this.#context;
    return { settings, clock, bus, table, counts, scheduler, sessions: this.#server.sessions };
  }

  /**
   * Traces a symbol's ticks through this node.
   * @returns what ends it, or why it is refused
   */
  trace({ symbol, session: id }: TraceRequest, output: TraceOutput): (() => void) | string {
    const { settings, table, tracer, bus, clock } = this.#context;
    let session: Session | undefined;
    if (id !== undefined) for (const each of this.#server.sessions) if (each.id === id) session = each;
    if (id !== undefined && !session) return `no session ${id} is open at this node, which is ${settings.node}`;
    const row = table.hold(symbol, settings.maxAwaitedSymbols, clock.micros());
    if (row < 0) return "the market table is full";
    const end = tracer.follow(row, session, output);
    if (!end) {
      table.release(row);
      return `${MOST_TRACES} traces are under way: one must end first`;
    }
    output.line({ line: "trace", node: settings.node, symbol, time: clock.micros() });
    bus.follow(symbol);
    return () => {
      end();
      bus.unfollow(symbol);
      table.release(row);
    };
  }

  /** Drains: reports unready first, then closes all sessions, each with another time to reconnect. */
  async drain(): Promise<void> {
    const { settings, log } = this.#context;
    if (this.#draining) return;
    this.#draining = true;
    log.info({ connections: this.counts.connections }, "draining");
    this.#server.refuseUpgrades();
    await sleep(this.counts.connections > 0 ? settings.drainDelay : 0);
    let said = 0;
    for (const session of [...this.#server.sessions]) {
      session.sayBye("restarting", "the gateway is restarting", Math.round(Math.random() * settings.drainSpread));
      if (++said % BYES_PER_SLICE === 0) await sleep(0);
    }
    // The last close frames are on their way.
    if (said > 0) await sleep(100);
  }

  /** Closes everything at once. */
  close(): void {
    this.#draining = true;
    this.#maintenance.stop();
    this.#context.delays.stop();
    this.scheduler.stop();
    this.#context.commands.stop();
    this.#server.close();
    this.#context.events.close();
  }

  /**
   * What clients may see has changed: each session that this concerns is suspended in this turn of the event loop, and
   * reviewed in steps.
   */
  #reviewIdentities(): void {
    this.#recordDelayed();
    for (const session of [...this.#server.sessions]) session.reviewIdentity();
  }

  /** Symbols that the policy shows late are followed for as long as it does, whether a client wants them or not. */
  #recordDelayed(): void {
    const { authority, delays, bus, log, settings } = this.#context;
    const longest = authority.longestDelay("quote");
    delays.record((symbol) => authority.longestDelay("quote", symbol));
    if (longest > 0 && !this.#followsAll) bus.follow();
    if (longest === 0 && this.#followsAll) bus.unfollow();
    this.#followsAll = longest > 0;
    if (longest === this.#longestDelay) return;
    this.#longestDelay = longest;
    const bytes = delays.bytesOf(longest);
    const room = { rows: settings.maxDelayedRows, symbols: Math.floor(settings.maxDelayBytes / bytes) };
    log.info(
      { delay: longest, bytesPerSymbol: bytes, most: Math.min(room.rows, room.symbols) },
      "delayed data is kept",
    );
  }

  #checkHealth(now: number): void {
    const { settings, bus } = this.#context;
    const { connections, conflating, recordsRefused } = this.counts;
    this.#watch.check(
      {
        unready: this.unready(),
        late: conflating.server,
        lag: this.scheduler.lag,
        connections,
        connectionsLimit: settings.maxConnections,
        streams: bus.heard(),
        recordsRefused,
      },
      now,
    );
  }
}

function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
