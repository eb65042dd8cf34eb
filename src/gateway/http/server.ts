/**
 * The door for clients: WebSocket upgrades on /v1/stream, and the market over HTTP. Who may come in is decided here,
 * before there is a session.
 */
import {
  App,
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import type { Logger } from "pino";
import { SUBPROTOCOLS, type Subprotocol } from "../../protocol/messages.ts";
import { UsageError } from "../../settings/option.ts";
import type { Settings } from "../../settings/settings.ts";
import { countOne, type Refusal } from "../counts.ts";
import type { Session } from "../session/session.ts";
import type { Socket, SocketData } from "../session/socket.ts";
import { addressKey, shortAgent, TrustedProxies } from "./address.ts";
import { type Admitted, type DoorContext as DoorParts, HttpDoor } from "./door.ts";
import { checkHandshake, chooseSubprotocol, offeredSubprotocols } from "./handshake.ts";
import { answerMarket, type MarketParts, type Read, readSymbols, readTicks } from "./http.ts";
import { OpenSockets } from "./open_sockets.ts";
import { originAllowed } from "./origin.ts";
import { headersOf, type RequestHeaders, senderOf } from "./request_headers.ts";
import { readSite, serveSite } from "./site.ts";
import { planSockets } from "./socket_plan.ts";

/** Whether to share the port with whoever else listens on it. The binding exports these, but its types do not. */
const SHARED_PORT = 0;
const EXCLUSIVE_PORT = 1;
/** What a client that is refused is told to wait, seconds. */
const RETRY_AFTER = 1;
/**
 * The largest message that is taken in at all. One above the setting is answered with a proper close; only one this
 * much larger is cut off while it is still arriving, since its bytes would have to be kept.
 */
const REFUSED_MESSAGES = 8;
/** How much of a stranger's origin is sent back. */
const SHOWN_LENGTH = 255;

/** Why an upgrade is refused. */
interface RefusedUpgrade {
  readonly status: string;
  readonly reason: Refusal;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the server keeps with a socket. */
interface ServerSocketData extends SocketData {
  session: Session | undefined;
}

/** What the server needs of the gateway. */
export interface ServerParts extends DoorParts, MarketParts {
  readonly settings: DoorParts["settings"] &
    MarketParts["settings"] &
    Pick<
      Settings,
      | "heartbeat"
      | "maxConnections"
      | "maxConnectionsPerAddress"
      | "maxMessageBytes"
      | "maxUnreadBytes"
      | "node"
      | "origins"
      | "trustedProxies"
      | "watchlist"
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
  /** By {@link addressKey}. */
  readonly #perAddress = new Map<string, number>();
  readonly #proxies: TrustedProxies;
  readonly #sockets: OpenSockets;
  readonly #door: HttpDoor;
  #listening: us_listen_socket | undefined;
  #draining = false;
  #nextSession = 1;

  /** @param createSession makes the session of a socket that has been opened */
  constructor(app: TemplatedApp, context: ServerParts, createSession: (socket: Socket, id: string) => Session) {
    this.#context = context;
    const { heartbeat, maxConnections, maxMessageBytes, maxUnreadBytes, trustedProxies } = context.settings;
    this.#proxies = new TrustedProxies(trustedProxies);
    this.#door = new HttpDoor(context, this.#proxies);
    const { connections, sockets } = planSockets(maxConnections);
    this.#sockets = new OpenSockets(sockets, sockets - connections, {
      isBalancer: (address) => this.#proxies.trusts(address),
      shed: (reason, address) => {
        context.counts.socketsShed[reason]++;
        context.events.add("warn", { reason, address, sockets }, "closing new sockets: too many are open", reason);
      },
      now: () => context.clock.millis(),
    });
    this.#app = app;
    this.#serveWatchlist();
    const { answers } = this.#door;
    this.#app
      .filter((res, change) => this.#sockets.filter(res, change))
      .ws<ServerSocketData>("/v1/stream", {
        maxPayloadLength: maxMessageBytes * REFUSED_MESSAGES,
        // Our own window closes a connection long before: this one would lose the close frame.
        maxBackpressure: maxUnreadBytes * 4,
        // Only for sockets that are closing: those in use are watched by their pings.
        idleTimeout: Math.min(960, Math.ceil((heartbeat * 4) / 1_000 / 4) * 4 + 8),
        sendPingsAutomatically: false,
        upgrade: (res, req, context) => this.#upgrade(res, req, context),
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
          this.#sockets.close();
          this.#left(addressKey(address));
        },
      })
      // What comes here has no key of the right length.
      .get(
        "/v1/stream",
        this.#door.handle(({ res, headers, withBody }) => {
          const bad = checkHandshake(headers);
          if (bad) answers.json(res, { status: bad.status, headers: bad.headers }, { error: bad.message }, withBody);
        }),
      )
      .get(
        "/v1/symbols",
        this.#door.handleData((request) => this.#market(request, readSymbols)),
      )
      .get(
        "/v1/ticks",
        this.#door.handleData((request) => this.#market(request, readTicks)),
      )
      .get(
        "/*",
        this.#door.handle(({ res }) =>
          answers.json(
            res,
            { status: "404 Not Found" },
            { error: "there are /v1/stream, /v1/symbols and /v1/ticks?symbols=A,B" },
          ),
        ),
      )
      .any(
        "/*",
        this.#door.handle(({ res, withBody }) =>
          answers.json(
            res,
            { status: "405 Method Not Allowed", headers: { Allow: "GET" } },
            { error: "GET is all there is" },
            withBody,
          ),
        ),
      );
  }

  /** The sessions that are open. */
  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** The sockets that are open, and how many there may be. */
  get sockets(): { readonly count: number; readonly limit: number } {
    return this.#sockets;
  }

  /** Answers over HTTP that clients have not taken yet. */
  get pendingAnswers(): number {
    return this.#door.answers.pending;
  }

  /**
   * Listens.
   * @param shared whether other processes listen on the same port
   * @returns the port
   * @throws UsageError when the address cannot be listened on
   */
  async listen(host: string, port: number, shared: boolean): Promise<number> {
    this.#listening = await listen(this.#app, host, port, shared);
    return us_socket_local_port(this.#listening);
  }

  /** From now on nobody is let in. */
  refuse(): void {
    this.#draining = true;
  }

  /** Stops to listen, and cuts what is still open. */
  close(): void {
    if (this.#listening) us_listen_socket_close(this.#listening);
    this.#listening = undefined;
    this.#app.close();
    this.#door.answers.close();
  }

  /** Prices come first: a page that cannot be read keeps no gateway from starting. */
  #serveWatchlist(): void {
    const { settings, log } = this.#context;
    if (!settings.watchlist) return;
    try {
      serveSite(this.#app, readSite(), settings.origins, this.#door);
    } catch (error) {
      log.error({ err: error }, "the watchlist cannot be served");
    }
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: Parameters<HttpResponse["upgrade"]>[4]): void {
    const headers = headersOf(req);
    const { peer, client } = senderOf(res, headers, this.#proxies);
    const key = addressKey(client);
    const offered = offeredSubprotocols(headers);
    const subprotocol = chooseSubprotocol(offered);
    const agent = shortAgent(headers.get("user-agent") ?? "");
    const refusal = this.#refusal(headers, key, subprotocol);
    if (refusal) {
      countOne(this.#context.counts.refused, refusal.reason);
      this.#logRefusal(refusal.reason, client, agent);
      const retry: Record<string, string> = refusal.status.startsWith("503")
        ? { "Retry-After": String(RETRY_AFTER) }
        : {};
      const head = { status: refusal.status, headers: { ...refusal.headers, ...retry } };
      this.#door.refuseUpgrade(res, head, { error: refusal.message }, key);
      return;
    }
    this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
    this.#sockets.upgrade(peer);
    res.upgrade<ServerSocketData>(
      { subprotocol: subprotocol as Subprotocol, address: client, agent, session: undefined },
      headers.get("sec-websocket-key") ?? "",
      offered.length === 0 ? "" : (subprotocol as Subprotocol),
      headers.get("sec-websocket-extensions") ?? "",
      context,
    );
  }

  /** What is short is for us to mend, what is wrong with a client is not. */
  #logRefusal(reason: Refusal, address: string, agent: string): void {
    const level = reason === "connections" || reason === "address" ? "warn" : "info";
    this.#context.events.add(level, { reason, address, agent }, "refusing a connection", reason);
  }

  /** @param key the client's address, as limits count it */
  #refusal(headers: RequestHeaders, key: string, subprotocol: Subprotocol | undefined): RefusedUpgrade | undefined {
    const { origins, maxConnections, maxConnectionsPerAddress } = this.#context.settings;
    if (this.#draining)
      return { status: "503 Service Unavailable", reason: "draining", message: "this node is going; try another" };
    const bad = checkHandshake(headers);
    if (bad) return { ...bad, reason: "handshake" };
    const origin = headers.get("origin") ?? "";
    if (origin !== "" && !originAllowed(origins, origin, headers.get("host") ?? ""))
      return {
        status: "403 Forbidden",
        reason: "origin",
        message: `the origin ${origin.slice(0, SHOWN_LENGTH)} is not allowed`,
      };
    if (!subprotocol)
      return {
        status: "400 Bad Request",
        reason: "subprotocol",
        message: `no subprotocol that is spoken here was offered; there are ${SUBPROTOCOLS.join(" and ")}`,
      };
    if (this.#sessions.size >= maxConnections)
      return { status: "503 Service Unavailable", reason: "connections", message: "this node is full" };
    if ((this.#perAddress.get(key) ?? 0) >= maxConnectionsPerAddress)
      return {
        status: "503 Service Unavailable",
        reason: "address",
        message: "too many connections from this address",
      };
    return undefined;
  }

  #left(key: string): void {
    const count = this.#perAddress.get(key) ?? 0;
    if (count > 1) this.#perAddress.set(key, count - 1);
    else this.#perAddress.delete(key);
  }

  #market(request: Admitted, read: Read): void {
    answerMarket(request, read, this.#context, this.#door);
  }
}

/**
 * Finds out whether a port can be listened on by us alone; 0 takes a free one.
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
