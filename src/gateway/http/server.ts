/**
 * The clients' port: WebSocket upgrades on /v1/stream, and the market over HTTP. It decides which clients are accepted,
 * before there is a session.
 */
import type { TemplatedApp } from "uWebSockets.js";
import type { Logger } from "pino";
import type { MarketName } from "../../market/market_name.ts";
import { RESOLUTIONS } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import { barMarketOf, readBars, readBook, readTrades } from "../api/channel_api.ts";
import { answerMarket, type MarketParts, type ReadQuery, readSymbols, readTicks } from "../api/market_api.ts";
import type { ChannelMarket } from "../channel_markets.ts";
import type { Socket } from "../outbound/socket.ts";
import type { Session } from "../session/session.ts";
import { TrustedProxies } from "./address.ts";
import { type AdmittedRequest, HttpAdmission } from "./admission.ts";
import { checkHandshake } from "./handshake.ts";
import { OpenSockets } from "./open_sockets.ts";
import { identifyRequest } from "./request_token.ts";
import { readSite, serveSite } from "./site.ts";
import { planSockets } from "./socket_plan.ts";
import type { ClientApps, SocketCount } from "./tls_apps.ts";
import { type ServerSocketData, Upgrades, type UpgradesParts } from "./upgrades.ts";

/**
 * The largest message that is received, as a multiple of the setting. A message above the setting gets a close frame;
 * one this much larger is cut off while it arrives, because its bytes would have to be buffered.
 */
const REFUSED_MESSAGES = 8;

/** What the server needs of the gateway. */
export interface ServerParts extends UpgradesParts, MarketParts {
  readonly settings: UpgradesParts["settings"] &
    MarketParts["settings"] &
    Pick<
      Settings,
      "heartbeat" | "maxMessageBytes" | "maxUnreadBytes" | "node" | "origins" | "trustedProxies" | "watchlist"
    >;
  readonly log: Logger;
  readonly markets: { of(name: MarketName): ChannelMarket };
}

export class GatewayServer {
  readonly #context: ServerParts;
  readonly #apps: ClientApps;
  readonly #sessions = new Set<Session>();
  readonly #proxies: TrustedProxies;
  readonly #sockets: OpenSockets;
  readonly #admission: HttpAdmission;
  readonly #upgrades: Upgrades;
  #nextSession = 1;

  /** @param createSession makes the session of a socket that has been opened */
  constructor(apps: ClientApps, context: ServerParts, createSession: (socket: Socket, id: string) => Session) {
    this.#context = context;
    const { maxConnections, trustedProxies } = context.settings;
    this.#proxies = new TrustedProxies(trustedProxies);
    this.#admission = new HttpAdmission(context, this.#proxies);
    const { connections, sockets } = planSockets(maxConnections);
    this.#sockets = new OpenSockets(sockets, sockets - connections, {
      isBalancer: (address) => this.#proxies.trusts(address),
      shed: (reason, address) => {
        context.counts.socketsShed[reason]++;
        context.events.write("warn", { reason, address, sockets }, "closing new sockets: too many are open", reason);
      },
      now: () => context.clock.millis(),
    });
    this.#upgrades = new Upgrades(context, this.#proxies, this.#sockets, this.#admission);
    this.#apps = apps;
    const site = this.#readSite();
    apps.serve((app, count) => {
      site?.(app);
      this.#register(app, count, createSession);
    });
  }

  #register(app: TemplatedApp, count: SocketCount, createSession: (socket: Socket, id: string) => Session): void {
    const { heartbeat, maxMessageBytes, maxUnreadBytes } = this.#context.settings;
    const { responses: answers } = this.#admission;
    app
      .filter((res, change) => this.#sockets.filter(res, change))
      .ws<ServerSocketData>("/v1/stream", {
        maxPayloadLength: maxMessageBytes * REFUSED_MESSAGES,
        // The in-flight window closes a connection long before; at this limit the close frame would be lost.
        maxBackpressure: maxUnreadBytes * 4,
        // Only for sockets that are closing: open ones are checked by pings.
        idleTimeout: Math.min(960, Math.ceil((heartbeat * 4) / 1_000 / 4) * 4 + 8),
        sendPingsAutomatically: false,
        upgrade: (res, req, socketContext) => this.#upgrades.handle(res, req, socketContext),
        open: (socket) => {
          const session = createSession(socket, `${this.#context.settings.node}-${this.#nextSession++}`);
          socket.getUserData().session = session;
          count.countOpen();
          this.#sessions.add(session);
          this.#context.counts.connections++;
          this.#context.counts.connectionsOpened++;
          session.open();
        },
        message: (socket, message, binary) =>
          socket.getUserData().session?.handleMessage(new Uint8Array(message), binary),
        pong: (socket, payload) => socket.getUserData().session?.handlePong(payload),
        drain: (socket) => socket.getUserData().session?.handleDrain(),
        close: (socket) => {
          const { session, address } = socket.getUserData();
          session?.handleClose();
          if (session && this.#sessions.delete(session)) this.#context.counts.connections--;
          this.#sockets.countClose();
          this.#upgrades.release(address);
          count.countClose();
        },
      })
      // Requests that reach this route have no key of the right length.
      .get(
        "/v1/stream",
        this.#admission.handler(({ res, headers, withBody }) => {
          const bad = checkHandshake(headers);
          if (bad)
            answers.sendJson(res, { status: bad.status, headers: bad.headers }, { error: bad.message }, withBody);
        }),
      )
      .get(
        "/v1/symbols",
        this.#admission.dataHandler((request) => this.#answerMarket(request, readSymbols)),
      )
      .get(
        "/v1/ticks",
        this.#admission.dataHandler((request) => this.#answerMarket(request, readTicks)),
      )
      .get(
        "/v1/book",
        this.#admission.dataHandler((request) => this.#answerMarket(request, readBook, "book")),
      )
      .get(
        "/v1/trades",
        this.#admission.dataHandler((request) => this.#answerMarket(request, readTrades, "trade")),
      )
      .get(
        "/v1/bars",
        this.#admission.dataHandler((request) => {
          const market = barMarketOf(new URLSearchParams(request.query));
          if (market) return this.#answerMarket(request, readBars, market);
          const error = `resolution must be one of ${RESOLUTIONS.join(", ")}`;
          answers.sendJson(
            request.res,
            { status: "400 Bad Request", headers: this.#admission.dataHeaders(request) },
            { error },
          );
        }),
      )
      .options("/v1/bars", this.#admission.preflightHandler())
      .options("/v1/book", this.#admission.preflightHandler())
      .options("/v1/trades", this.#admission.preflightHandler())
      .options("/v1/symbols", this.#admission.preflightHandler())
      .options("/v1/ticks", this.#admission.preflightHandler())
      .get(
        "/*",
        this.#admission.handler(({ res }) =>
          answers.sendJson(
            res,
            { status: "404 Not Found" },
            {
              error:
                "there are /v1/stream, /v1/symbols, /v1/ticks?symbols=A,B, /v1/book?symbol=A, /v1/trades?symbol=A and /v1/bars?symbol=A",
            },
          ),
        ),
      )
      .any(
        "/*",
        this.#admission.handler(({ res, withBody }) =>
          answers.sendJson(
            res,
            { status: "405 Method Not Allowed", headers: { Allow: "GET" } },
            { error: "GET is all there is" },
            withBody,
          ),
        ),
      );
  }

  /** All open sessions. */
  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** The number of open sockets, and the limit. */
  get sockets(): { readonly count: number; readonly limit: number } {
    return this.#sockets;
  }

  /** HTTP responses that clients have not read yet. */
  get pendingResponses(): number {
    return this.#admission.responses.pending;
  }

  /**
   * Listens.
   * @param shared whether other processes listen on the same port
   * @returns the port
   * @throws UsageError when the address cannot be listened on
   */
  async listen(host: string, port: number, shared: boolean): Promise<number> {
    await this.#upgrades.start();
    return this.#apps.listen(host, port, shared);
  }

  /** Refuses all further upgrades. */
  refuseUpgrades(): void {
    this.#upgrades.refuseAll();
  }

  /** Stops listening, and closes all sockets at once. */
  close(): void {
    this.#apps.close();
    this.#upgrades.close();
    this.#admission.responses.close();
  }

  /** A page that cannot be read does not stop the gateway from starting: prices are more important. */
  #readSite(): ((app: TemplatedApp) => void) | undefined {
    const { settings, log } = this.#context;
    if (!settings.watchlist) return undefined;
    try {
      const files = readSite();
      return (app) => serveSite(app, files, settings.origins, this.#admission);
    } catch (error) {
      log.error({ err: error }, "the watchlist cannot be served");
      return undefined;
    }
  }

  #answerMarket(request: AdmittedRequest, read: ReadQuery, name: MarketName = "quote"): void {
    identifyRequest(request, this.#context, this.#admission, (identity) =>
      answerMarket(request, read, identity, { ...this.#context, ...this.#context.markets.of(name) }, this.#admission),
    );
  }
}
