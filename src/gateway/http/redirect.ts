/**
 * The redirect port: plain HTTP, where every request is answered with the https address of the clients' port. It serves
 * nothing else, and a connection ends with its first answer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { hostNameOf } from "../../base/host_header.ts";
import type { RateLimitedLog } from "../../log/rate_limited_log.ts";
import { UsageError } from "../../settings/option.ts";
import type { Settings } from "../../settings/settings.ts";
import { addressKey, plainAddress } from "./address.ts";
import { isHostAllowed } from "./origin.ts";

/** Connections at once, in all and of one address: each lasts for a request. Clients share the limit on open files. */
const MOST_CONNECTIONS = 256;
const MOST_PER_ADDRESS = 64;
/** How long a request may take to arrive, and how long a connection may be silent, ms. */
const REQUEST_TIME = 5_000;
const CHECK_TIME = 1_000;
/** As much as a browser sends, and more than the longest address. */
const HEAD_BYTES = 16_384;
const HTTPS_PORT = 443;

/** What may be in the target of a request: nothing that ends a header line, and no bytes outside of ASCII. */
const TARGET = /^\/[\x21-\x7e]*$/;

/**
 * The https address of a request; undefined when its host or its target is not valid, or the host is none of ours.
 * @param host the Host header
 * @param target path and query, as the client has sent them
 * @param port the clients' port
 * @param origins with a list, only its names, numbers and `localhost` are ours
 */
export function httpsAddress(
  host: string,
  target: string,
  port: number,
  origins: readonly string[],
): string | undefined {
  const name = hostNameOf(host);
  if (name === undefined || !TARGET.test(target)) return undefined;
  const bare = name.includes(":") ? `[${name}]` : name;
  const authority = port === HTTPS_PORT ? bare : `${bare}:${port}`;
  return isHostAllowed(origins, authority) ? `https://${authority}${target}` : undefined;
}

export class RedirectServer {
  readonly #settings: Pick<Settings, "host" | "origins" | "redirectPort" | "redirectTo">;
  readonly #events: RateLimitedLog;
  readonly #server: Server;
  /** Open connections by address. */
  readonly #counts = new Map<string, number>();
  #httpsPort = 0;

  constructor(settings: Pick<Settings, "host" | "origins" | "redirectPort" | "redirectTo">, events: RateLimitedLog) {
    this.#settings = settings;
    this.#events = events;
    // Without a handler of upgrades, Node treats them as plain requests.
    this.#server = createServer(
      {
        headersTimeout: REQUEST_TIME,
        requestTimeout: REQUEST_TIME,
        connectionsCheckingInterval: CHECK_TIME,
        maxHeaderSize: HEAD_BYTES,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.timeout = REQUEST_TIME;
    this.#server.on("connection", (socket) => this.#count(socket));
  }

  /**
   * Listens, if the setting wants it.
   * @param httpsPort the clients' port
   * @returns the port, undefined without the setting
   * @throws UsageError when the address cannot be listened on
   */
  async listen(httpsPort: number): Promise<number | undefined> {
    const { host, redirectPort } = this.#settings;
    if (redirectPort === "") return undefined;
    this.#httpsPort = this.#settings.redirectTo || httpsPort;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const why = error.code === "EADDRINUSE" ? "the port is in use" : error.message;
        reject(
          new UsageError(`cannot listen on ${host}:${redirectPort} (--host, --redirect-port): ${why}`, {
            cause: error,
          }),
        );
      });
      this.#server.listen(redirectPort, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const hosts = request.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === "host");
    const address =
      hosts.length === 1
        ? httpsAddress(request.headers.host ?? "", request.url ?? "", this.#httpsPort, this.#settings.origins)
        : undefined;
    const common = { Connection: "close", "Content-Length": 0, "Cache-Control": "no-store" };
    if (address !== undefined) {
      response.writeHead(308, { ...common, Location: address }).end();
      return;
    }
    this.#events.write("warn", { reason: "host", address: keyOf(request.socket) }, "refusing an HTTP request", "host");
    response.writeHead(400, common).end();
  }

  #count(socket: Socket): void {
    const key = keyOf(socket);
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    socket.once("close", () => {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    });
    if (count > MOST_PER_ADDRESS) socket.destroy();
  }
}

function keyOf({ remoteAddress = "" }: Socket): string {
  return addressKey(plainAddress(remoteAddress) ?? remoteAddress);
}
