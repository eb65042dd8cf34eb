/**
 * The admin port, for balancers, Prometheus and people: /healthz, /readyz, /metrics, /status and /trace. Every server
 * command has one. Only a trace changes anything, so it needs a POST.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { isSymbol } from "../base/tick.ts";
import { TLS_CIPHERS, type TlsCertificate, type TlsPair } from "../gateway/http/tls_certificate.ts";
import type { TraceOutput, TraceRequest } from "../gateway/latency/tracer.ts";
import { UsageError } from "../settings/option.ts";
import type { AdminAccess } from "./access.ts";
import { AdminConnections, clientKey } from "./connections.ts";
import { isCrossSite, isOwnHost } from "./request_guard.ts";
import { PAGE_POLICY, PAGE_SCRIPT, statusPage } from "./status/page.ts";
import type { NodeReport } from "./status/report.ts";
import { AdminTraces } from "./traces.ts";

/** The data that the admin port serves. */
export interface AdminSource {
  /** Why the process is not ready, or undefined when it is. */
  unready(): string | undefined;
  /** The metrics page. */
  metrics(): Promise<{ contentType: string; body: string }>;
  /** The report for /status. */
  report(): Promise<NodeReport>;
  /**
   * Follows a symbol's ticks through the node; absent in a process without a gateway.
   * @returns a function that ends the trace, or the reason of a refusal
   */
  trace?(request: TraceRequest, output: TraceOutput): Promise<(() => void) | string>;
}

/**
 * The longest time of a request's head, of a whole request, and of an idle connection, and the interval of the check,
 * ms.
 */
const HEAD_TIME = 5_000;
const REQUEST_TIME = 10_000;
const IDLE_TIME = 5_000;
const CHECK_TIME = 1_000;
/** The largest head of a request, bytes: browsers send a tenth of it. */
const HEAD_BYTES = 8_192;

/** As the clients' port; a handshake may take as long as the head of a request. */
const TLS_OPTIONS = { minVersion: "TLSv1.2", ciphers: TLS_CIPHERS, handshakeTimeout: HEAD_TIME } as const;

/** A browser asks for user and password: any user, with the token as the password. Programs send it as a Bearer. */
const CHALLENGE = 'Basic realm="Tickgate admin port: the token is the password", charset="UTF-8"';
/** Seconds. */
const RETRY_AFTER = "10";

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const HTML = "text/html; charset=utf-8";
const NDJSON = "application/x-ndjson; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

export class AdminServer {
  readonly #server: Server;
  readonly #source: AdminSource;
  readonly #access: AdminAccess;
  readonly #names: readonly string[];
  readonly #connections = new AdminConnections();
  readonly #traces = new AdminTraces();

  /**
   * @param adminNames host names that it answers to, besides IP addresses and localhost
   * @param certificate without one it does not speak TLS
   */
  constructor(source: AdminSource, adminNames: readonly string[], access: AdminAccess, certificate?: TlsCertificate) {
    this.#access = access;
    this.#source = source;
    this.#names = adminNames.map((name) => name.toLowerCase());
    const options = {
      headersTimeout: HEAD_TIME,
      requestTimeout: REQUEST_TIME,
      keepAliveTimeout: IDLE_TIME,
      connectionsCheckingInterval: CHECK_TIME,
      maxHeaderSize: HEAD_BYTES,
    };
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#begin(request, response);
    if (certificate) {
      // A client without a certificate may have a token, or ask for its health.
      const ca = access.clientCa;
      const tls = { ...TLS_OPTIONS, ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: false }) };
      const server = createTlsServer({ ...options, ...tls, ...pemOf(certificate.pair) }, answer);
      certificate.onRenewal((pair) => server.setSecureContext({ ...tls, ...pemOf(pair) }));
      this.#server = server;
    } else this.#server = createServer(options, answer);
    // With TLS these are the sockets below it: also those whose handshake is not over.
    this.#server.on("connection", (socket) => this.#connections.add(socket));
    this.#server.on("secureConnection", (socket) => this.#connections.secure(socket));
  }

  /**
   * Listens.
   * @returns the port
   * @throws UsageError when the address cannot be listened on
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const why = error.code === "EADDRINUSE" ? "the port is in use" : error.message;
        reject(
          new UsageError(`cannot listen on ${host}:${port} (--admin-host, --admin-port): ${why}`, { cause: error }),
        );
      });
      this.#server.listen(port, host, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (!this.#connections.begin(socket)) return void socket.destroy();
    response.once("close", () => this.#connections.end(socket));
    this.#answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else answer(response, 500, TEXT, `${String(error)}\n`);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, method } = request;
    const [path, query] = (request.url ?? "").split("?");
    const isOwn = isOwnHost(headers.host, this.#names);
    // Balancers may use any host name, and need no token; they can read only health.
    const isHealth = path === "/healthz" || path === "/readyz";
    if (!isOwn && !isHealth)
      return answer(response, 403, TEXT, "this name is not listed: --admin-name, or use the address\n");
    const isGranted = isHealth || this.#isGranted(request, response);
    if (!isGranted) return;
    const isTrace = path === "/trace";
    if (isTrace ? method !== "POST" : method !== "GET" && method !== "HEAD") {
      response.setHeader("Allow", isTrace ? "POST" : "GET, HEAD");
      return answer(response, 405, TEXT, isTrace ? "a trace needs a POST\n" : "GET is all there is\n");
    }
    switch (path) {
      case "/healthz":
        return answer(response, 200, TEXT, "ok\n");
      case "/readyz": {
        const reason = this.#source.unready();
        // The reason is for those who may read the rest.
        const isShown = isOwn && (reason === undefined || this.#access.isGranted(request));
        return answer(response, reason === undefined ? 200 : 503, TEXT, `${shown(reason, isShown)}\n`);
      }
      case "/metrics": {
        const { body, contentType } = await this.#source.metrics();
        return answer(response, 200, contentType, body);
      }
      case "/status":
        // A browser accepts HTML and gets a page; programs get JSON.
        response.setHeader("Vary", "Accept");
        if (!request.headers.accept?.includes("text/html")) return this.#json(response);
        response.setHeader("Content-Security-Policy", PAGE_POLICY);
        return answer(response, 200, HTML, statusPage(await this.#source.report()));
      case "/status.json":
        return this.#json(response);
      case "/status.js":
        return answer(response, 200, SCRIPT, PAGE_SCRIPT);
      case "/trace":
        return this.#trace(new URLSearchParams(query), request, response);
      default:
        return answer(
          response,
          404,
          TEXT,
          "there are /status, /status.json, /metrics, /healthz and /readyz, and POST /trace?symbol=\n",
        );
    }
  }

  /** Answers a request that is not granted. */
  #isGranted(request: IncomingMessage, response: ServerResponse): boolean {
    const access = this.#access.check(request, performance.now());
    if (access === "granted") return true;
    // Node reads no further request from a connection whose response is the last one.
    response.setHeader("Connection", "close");
    if (access === "refused") response.setHeader("WWW-Authenticate", CHALLENGE);
    else response.setHeader("Retry-After", RETRY_AFTER);
    const isFirst = access === "refused";
    answer(
      response,
      isFirst ? 401 : 429,
      TEXT,
      isFirst ? "a token is needed\n" : "too many requests without a token\n",
    );
    return false;
  }

  /** Sends one JSON object a line, until the client closes the connection. */
  async #trace(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A trace request has no body.
    request.resume();
    if (isCrossSite(request.headers)) return answer(response, 403, TEXT, "pages of others start no traces\n");
    const symbol = query.get("symbol") ?? "";
    if (!isSymbol(symbol)) return answer(response, 400, TEXT, "symbol must be one symbol: /trace?symbol=ACME\n");
    if (!this.#source.trace) return answer(response, 404, TEXT, "no ticks go through this process; ask a gateway\n");
    const output: TraceOutput = {
      get ready() {
        return !response.writableNeedDrain;
      },
      line(line) {
        if (response.writableEnded) return;
        if (!response.headersSent) response.writeHead(200, { "Content-Type": NDJSON, "Cache-Control": "no-store" });
        response.write(`${JSON.stringify(line)}\n`);
      },
      end: () => void response.end(),
    };
    let stop: (() => void) | undefined;
    let isOver = false;
    const end = () => {
      isOver = true;
      stop?.();
      stop = undefined;
    };
    const forget = this.#traces.add(clientKey(request.socket), () => {
      end();
      response.end();
    });
    response.once("close", () => {
      forget();
      end();
    });
    const begun = await this.#source.trace({ symbol, session: query.get("session") ?? undefined }, output);
    if (typeof begun === "string") {
      if (!isOver) answer(response, 409, TEXT, `${begun}\n`);
      return;
    }
    stop = begun;
    if (isOver) end();
  }

  async #json(response: ServerResponse): Promise<void> {
    answer(response, 200, JSON_TYPE, `${JSON.stringify(await this.#source.report(), rounded)}\n`);
  }
}

function pemOf({ cert, key }: TlsPair): { cert: string; key: string } {
  return { cert, key };
}

/** Why a process is not ready; the reason only for those who may read the rest. */
function shown(unready: string | undefined, isShown: boolean): string {
  if (unready === undefined) return "ready";
  return isShown ? unready : "not ready";
}

/** Rounds numbers to a thousandth, the precision of the measurements. Times are whole numbers, and too large for it. */
function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Math.round(value * 1_000) / 1_000 : value;
}

function answer(response: ServerResponse, status: number, contentType: string, body: string): void {
  response
    .writeHead(status, {
      "Content-Type": contentType,
      "Content-Length": Buffer.byteLength(body),
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
    })
    .end(body);
}
