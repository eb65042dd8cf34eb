/**
 * The admin port, for balancers, Prometheus and people: /healthz, /readyz, /metrics, /status and /trace. Every server
 * command has one. Nothing here changes anything.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TraceOutput, TraceRequest } from "./gateway/tracer.ts";
import { UsageError } from "./option.ts";
import { PAGE_POLICY, PAGE_SCRIPT, statusPage } from "./report/page.ts";
import type { NodeReport } from "./report/report.ts";
import { isSymbol } from "./tick.ts";

/** What the admin port tells. */
export interface AdminSource {
  /** Why the process is not ready, or undefined when it is. */
  unready(): string | undefined;
  /** The metrics page. */
  metrics(): Promise<{ contentType: string; body: string }>;
  /** What /status shows. */
  report(): Promise<NodeReport>;
  /**
   * Follows a symbol's ticks through the node; absent where none go through.
   * @returns what ends it, or why it is not done
   */
  trace?(request: TraceRequest, output: TraceOutput): Promise<(() => void) | string>;
}

/** How long a trace may take, ms: one that was forgotten ends by itself. */
const TRACE_TIME = 600_000;

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
const HTML = "text/html; charset=utf-8";
const NDJSON = "application/x-ndjson; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

export class AdminServer {
  readonly #server: Server;
  readonly #source: AdminSource;

  constructor(source: AdminSource) {
    this.#source = source;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => answer(response, 500, TEXT, `${String(error)}\n`));
    });
    // A scraper that hangs holds nothing but its socket, and not for long.
    this.#server.requestTimeout = 10_000;
    this.#server.maxConnections = 256;
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
        reject(new UsageError(`cannot listen on ${host}:${port} (--host, --admin-port): ${why}`, { cause: error }));
      });
      this.#server.listen(port, host, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return answer(response, 405, TEXT, "GET is all there is\n");
    }
    switch (request.url?.split("?")[0]) {
      case "/healthz":
        return answer(response, 200, TEXT, "ok\n");
      case "/readyz": {
        const reason = this.#source.unready();
        return answer(response, reason === undefined ? 200 : 503, TEXT, `${reason ?? "ready"}\n`);
      }
      case "/metrics": {
        const { body, contentType } = await this.#source.metrics();
        return answer(response, 200, contentType, body);
      }
      case "/status":
        // A browser asks for HTML, and gets a page; whoever does not, gets what programs read.
        response.setHeader("Vary", "Accept");
        if (!request.headers.accept?.includes("text/html")) return this.#json(response);
        response.setHeader("Content-Security-Policy", PAGE_POLICY);
        return answer(response, 200, HTML, statusPage(await this.#source.report()));
      case "/status.json":
        return this.#json(response);
      case "/status.js":
        return answer(response, 200, SCRIPT, PAGE_SCRIPT);
      case "/trace":
        return this.#trace(new URLSearchParams(request.url?.split("?")[1]), response);
      default:
        return answer(
          response,
          404,
          TEXT,
          "there are /status, /status.json, /trace?symbol=, /metrics, /healthz and /readyz\n",
        );
    }
  }

  /** One JSON object a line, until whoever asks has enough. */
  async #trace(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const symbol = query.get("symbol") ?? "";
    if (!isSymbol(symbol)) return answer(response, 400, TEXT, "symbol must be one symbol: /trace?symbol=ACME\n");
    if (!this.#source.trace) return answer(response, 404, TEXT, "no ticks go through this process; ask a gateway\n");
    const output: TraceOutput = {
      get ready() {
        return !response.writableNeedDrain;
      },
      line(line) {
        if (!response.headersSent) response.writeHead(200, { "Content-Type": NDJSON, "Cache-Control": "no-store" });
        response.write(`${JSON.stringify(line)}\n`);
      },
      end: () => void response.end(),
    };
    const end = await this.#source.trace({ symbol, session: query.get("session") ?? undefined }, output);
    if (typeof end === "string") return answer(response, 409, TEXT, `${end}\n`);
    if (response.destroyed) return end();
    const timer = setTimeout(() => response.end(), TRACE_TIME);
    response.on("close", () => {
      clearTimeout(timer);
      end();
    });
  }

  async #json(response: ServerResponse): Promise<void> {
    answer(response, 200, JSON_TYPE, `${JSON.stringify(await this.#source.report(), rounded)}\n`);
  }
}

/** Numbers to a thousandth: what is measured is not better than that. Times are whole, and too large for it. */
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
