/** The admin port, for balancers and Prometheus: /healthz, /readyz and /metrics. Every server command has one. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { UsageError } from "./option.ts";

/** What the admin port tells. */
export interface AdminSource {
  /** Why the process is not ready, or undefined when it is. */
  unready(): string | undefined;
  /** The metrics page. */
  metrics(): Promise<{ contentType: string; body: string }>;
}

export class AdminServer {
  readonly #server: Server;

  constructor(source: AdminSource) {
    this.#server = createServer((request, response) => {
      const answer = (status: number, body: string, contentType = "text/plain; charset=utf-8") => {
        response.writeHead(status, { "Content-Type": contentType, "Cache-Control": "no-store" }).end(body);
      };
      switch (request.url?.split("?")[0]) {
        case "/healthz":
          return answer(200, "ok\n");
        case "/readyz": {
          const reason = source.unready();
          return reason === undefined ? answer(200, "ready\n") : answer(503, `${reason}\n`);
        }
        case "/metrics":
          source.metrics().then(
            ({ contentType, body }) => answer(200, body, contentType),
            (error: unknown) => answer(500, `${String(error)}\n`),
          );
          return;
        default:
          return answer(404, "there are /healthz, /readyz and /metrics\n");
      }
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
}
