/**
 * The clients' port: WebSocket upgrades on /v1/stream, and the market over HTTP. It decides which clients are accepted,
 * before there is a session.
 */
import {
  App,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import type { Logger } from "pino";
import { UsageError } from "../../settings/option.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Session } from "../session/session.ts";
import type { Socket } from "../session/socket.ts";
import { TrustedProxies } from "./address.ts";
import { type AdmittedRequest, HttpAdmission } from "./admission.ts";
import { checkHandshake } from "./handshake.ts";
import { answerMarket, type MarketParts, type ReadQuery, readSymbols, readTicks } from "./market_api.ts";
import { OpenSockets } from "./open_sockets.ts";
import { identifyRequest } from "./request_token.ts";
import { readSite, serveSite } from "./site.ts";
import { planSockets } from "./socket_plan.ts";
import { type ServerSocketData, Upgrades, type UpgradesParts } from "./upgrades.ts";

/** Whether other processes may listen on the same port. The binding exports these numbers, its types do not. */
const SHARED_PORT = 0;
const EXCLUSIVE_PORT = 1;
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
}

/** The application of uWebSockets.js that a server serves, and that broadcasts. */
export function createApp(): TemplatedApp {
  return App();
}

export class GatewayServer {
  readonly #context: ServerParts;
  readonly #app: TemplatedApp;
  readonly #sessions = new Set<Session>();
  readonly #proxies: TrustedProxies;
  readonly #sockets: OpenSockets;
  readonly #admission: HttpAdmission;
  readonly #upgrades: Upgrades;
  #listening: us_listen_socket | undefined;
  #nextSession = 1;

  /** @param createSession makes the session of a socket that has been opened */
  constructor(app: TemplatedApp, context: ServerParts, createSession: (socket: Socket, id: string) => Session) {
    this.#context = context;
    const { heartbeat, maxConnections, maxMessageBytes, maxUnreadBytes, trustedProxies } = context.settings;
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
    this.#app = app;
    this.#serveWatchlist();
    const { responses: answers } = this.#admission;
    this.#app
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
      .options("/v1/symbols", this.#admission.preflightHandler())
      .options("/v1/ticks", this.#admission.preflightHandler())
      .get(
        "/*",
        this.#admission.handler(({ res }) =>
          answers.sendJson(
            res,
            { status: "404 Not Found" },
            { error: "there are /v1/stream, /v1/symbols and /v1/ticks?symbols=A,B" },
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
    this.#listening = await listen(this.#app, host, port, shared);
    return us_socket_local_port(this.#listening);
  }

  /** Refuses all further upgrades. */
  refuseUpgrades(): void {
    this.#upgrades.refuseAll();
  }

  /** Stops listening, and closes all sockets at once. */
  close(): void {
    if (this.#listening) us_listen_socket_close(this.#listening);
    this.#listening = undefined;
    this.#app.close();
    this.#upgrades.close();
    this.#admission.responses.close();
  }

  /** A page that cannot be read does not stop the gateway from starting: prices are more important. */
  #serveWatchlist(): void {
    const { settings, log } = this.#context;
    if (!settings.watchlist) return;
    try {
      serveSite(this.#app, readSite(), settings.origins, this.#admission);
    } catch (error) {
      log.error({ err: error }, "the watchlist cannot be served");
    }
  }

  #answerMarket(request: AdmittedRequest, read: ReadQuery): void {
    identifyRequest(request, this.#context, this.#admission, (identity) =>
      answerMarket(request, read, identity, this.#context, this.#admission),
    );
  }
}

/**
 * Checks that no other process listens on a port; 0 takes a free one.
 * @returns the port
 * @throws UsageError when the address cannot be listened on
 */
export async function freePort(host: string, port: number): Promise<number> {
  const app = App();
  const listening = await listen(app, host, port, false);
  const found = us_socket_local_port(listening);
  us_listen_socket_close(listening);
  app.close();
  return found;
}

function listen(app: TemplatedApp, host: string, port: number, shared: boolean): Promise<us_listen_socket> {
  return new Promise((resolve, reject) => {
    const listening = (socket: us_listen_socket | false) => {
      if (socket) resolve(socket);
      else
        reject(
          new UsageError(
            `cannot listen on ${host}:${port} (--host, --port): the port is in use, or the address is not this machine's`,
          ),
        );
    };
    // The binding takes host, port and options; its types know only two of them at a time.
    const bind = app.listen as unknown as (
      host: string,
      port: number,
      options: number,
      callback: typeof listening,
    ) => TemplatedApp;
    bind.call(app, host, port, shared ? SHARED_PORT : EXCLUSIVE_PORT, listening);
  });
}
