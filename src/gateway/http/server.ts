/**
 * The clients' port: WebSocket upgrades on /v1/stream, and the market over HTTP. It decides which clients are accepted,
 * before there is a session.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { Logger } from "pino";
import { SUBPROTOCOLS, type Subprotocol } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import { countOne, type Refusal } from "../counts.ts";
import type { Session } from "../session/session.ts";
import type { Socket, SocketData } from "../session/socket.ts";
import { addressKey, shortAgent, TrustedProxies } from "./address.ts";
import { type AdmissionParts, type AdmittedRequest, HttpAdmission } from "./admission.ts";
import { checkHandshake, chooseSubprotocol, offeredSubprotocols } from "./handshake.ts";
import { answerMarket, type MarketParts, type ReadQuery, readSymbols, readTicks } from "./market_api.ts";
import { OpenSockets } from "./open_sockets.ts";
import { isOriginAllowed } from "./origin.ts";
import { headersOf, type RequestHeaders, senderOf } from "./request_headers.ts";
import { readSite, serveSite } from "./site.ts";
import { planSockets } from "./socket_plan.ts";
import type { ClientApps, SocketCount } from "./tls_apps.ts";

/** The `Retry-After` of a refused client, seconds. */
const RETRY_AFTER = 1;
/**
 * The largest message that is received, as a multiple of the setting. A message above the setting gets a close frame;
 * one this much larger is cut off while it arrives, because its bytes would have to be buffered.
 */
const REFUSED_MESSAGES = 8;
/** The most characters of a client's origin that the answer repeats. */
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
export interface ServerParts extends AdmissionParts, MarketParts {
  readonly settings: AdmissionParts["settings"] &
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

export class GatewayServer {
  readonly #context: ServerParts;
  readonly #apps: ClientApps;
  readonly #sessions = new Set<Session>();
  /** By {@link addressKey}. */
  readonly #perAddress = new Map<string, number>();
  readonly #proxies: TrustedProxies;
  readonly #sockets: OpenSockets;
  readonly #admission: HttpAdmission;
  #draining = false;
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
        upgrade: (res, req, context) => this.#upgrade(res, req, context),
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
          count.countClose();
          this.#releaseAddress(addressKey(address));
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
  listen(host: string, port: number, shared: boolean): Promise<number> {
    return this.#apps.listen(host, port, shared);
  }

  /** Refuses all further upgrades. */
  refuseUpgrades(): void {
    this.#draining = true;
  }

  /** Stops listening, and closes all sockets at once. */
  close(): void {
    this.#apps.close();
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
      this.#admission.refuseUpgrade(res, head, { error: refusal.message }, key);
      return;
    }
    this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
    this.#sockets.countUpgrade(peer);
    res.upgrade<ServerSocketData>(
      { subprotocol: subprotocol as Subprotocol, address: client, agent, session: undefined },
      headers.get("sec-websocket-key") ?? "",
      offered.length === 0 ? "" : (subprotocol as Subprotocol),
      headers.get("sec-websocket-extensions") ?? "",
      context,
    );
  }

  /** The operator can raise a limit, so that is a warning; a client's mistake is information. */
  #logRefusal(reason: Refusal, address: string, agent: string): void {
    const level = reason === "connections" || reason === "address" ? "warn" : "info";
    this.#context.events.write(level, { reason, address, agent }, "refusing a connection", reason);
  }

  /** @param key the client's address, in the form of {@link addressKey} */
  #refusal(headers: RequestHeaders, key: string, subprotocol: Subprotocol | undefined): RefusedUpgrade | undefined {
    const { origins, maxConnections, maxConnectionsPerAddress } = this.#context.settings;
    if (this.#draining)
      return { status: "503 Service Unavailable", reason: "draining", message: "this node is going; try another" };
    const bad = checkHandshake(headers);
    if (bad) return { ...bad, reason: "handshake" };
    const origin = headers.get("origin") ?? "";
    if (origin !== "" && !isOriginAllowed(origins, origin, headers.get("host") ?? ""))
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

  #releaseAddress(key: string): void {
    const count = this.#perAddress.get(key) ?? 0;
    if (count > 1) this.#perAddress.set(key, count - 1);
    else this.#perAddress.delete(key);
  }

  #answerMarket(request: AdmittedRequest, read: ReadQuery): void {
    answerMarket(request, read, this.#context, this.#admission);
  }
}
