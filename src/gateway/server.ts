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
import { UsageError } from "../option.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../protocol/messages.ts";
import { plainAddress, shortAgent, TrustedProxies } from "./address.ts";
import type { GatewayContext } from "./context.ts";
import { countOne } from "./counts.ts";
import { answerMarket, readSymbols, readTicks, refuseMethod, respond } from "./http.ts";
import { originAllowed } from "./origin.ts";
import type { SocketData } from "./outlet.ts";
import { Session } from "./session.ts";
import { readSite, serveSite } from "./site.ts";

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

export class GatewayServer {
  readonly #context: GatewayContext;
  readonly #app: TemplatedApp;
  readonly #sessions = new Set<Session>();
  readonly #perAddress = new Map<string, number>();
  readonly #proxies: TrustedProxies;
  #listening: us_listen_socket | undefined;
  #draining = false;
  #nextSession = 1;

  constructor(context: GatewayContext) {
    this.#context = context;
    const { heartbeat, maxMessageBytes, maxUnreadBytes, trustedProxies } = context.settings;
    this.#proxies = new TrustedProxies(trustedProxies);
    this.#app = App();
    context.immediate.publish = (topic, frame, isBinary) => this.#app.publish(topic, frame, isBinary);
    this.#serveWatchlist();
    this.#app
      .ws<SocketData>("/v1/stream", {
        maxPayloadLength: maxMessageBytes * REFUSED_MESSAGES,
        // Our own window closes a connection long before: this one would lose the close frame.
        maxBackpressure: maxUnreadBytes * 4,
        // Only for sockets that are closing: those in use are watched by their pings.
        idleTimeout: Math.min(960, Math.ceil((heartbeat * 4) / 1_000 / 4) * 4 + 8),
        sendPingsAutomatically: false,
        upgrade: (res, req, context) => this.#upgrade(res, req, context),
        open: (socket) => {
          const session = new Session(this.#context, socket, `${this.#context.settings.node}-${this.#nextSession++}`);
          socket.getUserData().session = session;
          this.#sessions.add(session);
          this.#context.counts.connections++;
          this.#context.counts.connectionsOpened++;
          session.open();
        },
        message: (socket, message, binary) => socket.getUserData().session?.message(new Uint8Array(message), binary),
        pong: (socket, payload) => socket.getUserData().session?.pong(payload),
        drain: (socket) => socket.getUserData().session?.drained(),
        close: (socket) => {
          const { session, address } = socket.getUserData();
          session?.ended();
          if (session && this.#sessions.delete(session)) this.#context.counts.connections--;
          this.#left(address);
        },
      })
      .get("/v1/stream", (res) =>
        respond(
          res,
          "426 Upgrade Required",
          { error: "a WebSocket upgrade is expected here" },
          { Upgrade: "websocket" },
        ),
      )
      .get("/v1/symbols", (res, req) => this.#market(res, req, readSymbols))
      .get("/v1/ticks", (res, req) => this.#market(res, req, readTicks))
      .get("/*", (res) =>
        respond(res, "404 Not Found", { error: "there are /v1/stream, /v1/symbols and /v1/ticks?symbols=A,B" }),
      )
      .any("/*", refuseMethod);
  }

  /** The sessions that are open. */
  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
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
  }

  /** Prices come first: a page that cannot be read keeps no gateway from starting. */
  #serveWatchlist(): void {
    const { settings, log } = this.#context;
    if (!settings.watchlist) return;
    try {
      serveSite(this.#app, readSite(), settings.origins);
    } catch (error) {
      log.error({ err: error }, "the watchlist cannot be served");
    }
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: Parameters<HttpResponse["upgrade"]>[4]): void {
    const origin = req.getHeader("origin");
    const isOurs = origin === "" || originAllowed(this.#context.settings.origins, origin, req.getHeader("host"));
    const address = this.#addressOf(res, req);
    const offered = req.getHeader("sec-websocket-protocol");
    const subprotocol = chooseSubprotocol(offered);
    const refusal = this.#refusal(isOurs ? undefined : origin, address, subprotocol);
    if (refusal) {
      countOne(this.#context.counts.refused, refusal.reason);
      this.#logRefusal(refusal.reason, address, req);
      const retry: Record<string, string> = refusal.status.startsWith("503")
        ? { "Retry-After": String(RETRY_AFTER) }
        : {};
      respond(res, refusal.status, { error: refusal.message }, retry);
      return;
    }
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    res.upgrade<SocketData>(
      {
        subprotocol: subprotocol as Subprotocol,
        address,
        agent: shortAgent(req.getHeader("user-agent")),
        session: undefined,
      },
      req.getHeader("sec-websocket-key"),
      offered === "" ? "" : (subprotocol as Subprotocol),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  }

  /** What is short is for us to mend, what is wrong with a client is not. */
  #logRefusal(reason: string, address: string, req: HttpRequest): void {
    const level = reason === "connections" || reason === "address" ? "warn" : "info";
    const agent = shortAgent(req.getHeader("user-agent"));
    this.#context.events.add(level, { reason, address, agent }, "refusing a connection", reason);
  }

  /** @param foreign the origin of a page that may not connect */
  #refusal(
    foreign: string | undefined,
    address: string,
    subprotocol: Subprotocol | undefined,
  ): { status: string; reason: string; message: string } | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#context.settings;
    if (this.#draining)
      return { status: "503 Service Unavailable", reason: "draining", message: "this node is going; try another" };
    if (foreign !== undefined)
      return { status: "403 Forbidden", reason: "origin", message: `the origin ${foreign} is not allowed` };
    if (!subprotocol)
      return {
        status: "400 Bad Request",
        reason: "subprotocol",
        message: `no subprotocol that is spoken here was offered; there are ${SUBPROTOCOLS.join(" and ")}`,
      };
    if (this.#sessions.size >= maxConnections)
      return { status: "503 Service Unavailable", reason: "connections", message: "this node is full" };
    if ((this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress)
      return {
        status: "503 Service Unavailable",
        reason: "address",
        message: "too many connections from this address",
      };
    return undefined;
  }

  /** The client's address; there may be several headers that tell it, of which `getHeader` would give the first. */
  #addressOf(res: HttpResponse, req: HttpRequest): string {
    const text = Buffer.from(res.getRemoteAddressAsText()).toString();
    const peer = plainAddress(text) ?? text;
    if (!this.#proxies.trusts(peer)) return peer;
    const forwarded: string[] = [];
    req.forEach((name, value) => {
      if (name === "x-forwarded-for") forwarded.push(value);
    });
    return this.#proxies.clientOf(peer, forwarded.join(","));
  }

  #left(address: string): void {
    const count = this.#perAddress.get(address) ?? 0;
    if (count > 1) this.#perAddress.set(address, count - 1);
    else this.#perAddress.delete(address);
  }

  #market(res: HttpResponse, req: HttpRequest, read: typeof readSymbols): void {
    const origin = req.getHeader("origin");
    const { origins } = this.#context.settings;
    const headers: Record<string, string> = { "Cache-Control": "no-store" };
    if (origin !== "" && originAllowed(origins, origin, req.getHeader("host"))) {
      headers["Access-Control-Allow-Origin"] = origin;
      headers.Vary = "Origin";
    }
    answerMarket(res, new URLSearchParams(req.getQuery()), read, this.#context, headers);
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

/** The first subprotocol of the client's that is spoken here; the default when it offers none. */
export function chooseSubprotocol(offered: string): Subprotocol | undefined {
  if (offered.trim() === "") return SUBPROTOCOLS[0];
  for (const name of offered.split(",")) {
    const known = SUBPROTOCOLS.find((subprotocol) => subprotocol === name.trim());
    if (known) return known;
  }
  return undefined;
}
