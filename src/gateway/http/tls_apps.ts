/**
 * The applications of the clients' port. Without TLS it is one. uWebSockets.js reads a certificate once, when an
 * application is created; `addServerName` replaces it only for clients that send a name, and those of an IP address
 * send none. So each certificate has an application of its own, which listens on the same port (SO_REUSEPORT); then the
 * older one stops listening, and keeps its connections. An application leaves 40 KB behind when it has gone. Handing
 * sockets from one application to another (`addChildAppDescriptor`) would need one listener only, but with TLS it makes
 * this version of the library crash.
 */
import {
  App,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import { UsageError } from "../../settings/option.ts";
import { freePort, listen } from "./listen.ts";
import { TLS_CIPHERS, type TlsCertificate } from "./tls_certificate.ts";

/**
 * How long an old application may have sockets that are no WebSockets, ms: above the longest handshake (14 s), and an
 * HTTP response that a client reads slowly has time.
 */
const RETIRE_TIME = 120_000;

/** What counts the WebSockets of an application. */
export interface SocketCount {
  countOpen(): void;
  countClose(): void;
}

/** Registers the routes of an application. */
export type Register = (app: TemplatedApp, sockets: SocketCount) => void;

export interface ClientApps {
  /** Sends a message to the subscribers of a topic. */
  publish(topic: string, message: Uint8Array, isBinary: boolean): void;
  /** Registers the routes. Called once, before {@link listen}. */
  serve(register: Register): void;
  /**
   * @param shared whether other processes listen on the same port
   * @returns the port
   * @throws UsageError when the address cannot be listened on
   */
  listen(host: string, port: number, shared: boolean): Promise<number>;
  /** Stops listening, and closes all sockets at once. */
  close(): void;
}

/** The applications that a server serves, and that broadcast. */
export function createApps(certificate: TlsCertificate | undefined): ClientApps {
  return certificate ? new TlsApps(certificate) : new PlainApp();
}

class PlainApp implements ClientApps {
  readonly #app = App();
  #listening: us_listen_socket | undefined;

  publish(topic: string, message: Uint8Array, isBinary: boolean): void {
    this.#app.publish(topic, message, isBinary);
  }

  serve(register: Register): void {
    register(this.#app, { countOpen: () => {}, countClose: () => {} });
  }

  async listen(host: string, port: number, shared: boolean): Promise<number> {
    this.#listening = await listen(this.#app, host, port, shared);
    return us_socket_local_port(this.#listening);
  }

  close(): void {
    if (this.#listening) us_listen_socket_close(this.#listening);
    this.#listening = undefined;
    this.#app.close();
  }
}

/** An application with the certificate that was the newest when it was created. */
interface Generation {
  readonly app: TemplatedApp;
  listening: us_listen_socket | undefined;
  sockets: number;
  /** When a newer one took its place, ms. */
  retiredAt: number | undefined;
}

class TlsApps implements ClientApps {
  readonly #certificate: TlsCertificate;
  /** The newest last. */
  #generations: Generation[] = [];
  #register: Register = () => {};
  #address: { readonly host: string; readonly port: number } | undefined;

  constructor(certificate: TlsCertificate) {
    this.#certificate = certificate;
  }

  publish(topic: string, message: Uint8Array, isBinary: boolean): void {
    for (const { app } of this.#generations) app.publish(topic, message, isBinary);
  }

  serve(register: Register): void {
    this.#register = register;
    this.#generations.push(this.#create());
    this.#certificate.onRenewal(() => this.#renew());
  }

  async listen(host: string, port: number, shared: boolean): Promise<number> {
    // The port is shared with the applications of later certificates; with other processes only when that is wanted.
    this.#address = { host, port: shared ? port : await freePort(host, port) };
    const [first] = this.#generations;
    first.listening = await listen(first.app, host, this.#address.port, true);
    return this.#address.port;
  }

  close(): void {
    for (const { app, listening } of this.#generations) {
      if (listening) us_listen_socket_close(listening);
      app.close();
    }
    this.#generations = [];
    this.#address = undefined;
  }

  #create(): Generation {
    const { certFile, keyFile } = this.#certificate;
    const app = createTlsApp(certFile, keyFile);
    const generation: Generation = { app, listening: undefined, sockets: 0, retiredAt: undefined };
    this.#register(app, {
      countOpen: () => generation.sockets++,
      countClose: () => {
        generation.sockets--;
        this.#dropRetired();
      },
    });
    return generation;
  }

  async #renew(): Promise<void> {
    if (!this.#address) return;
    const before = this.#generations.at(-1) as Generation;
    const next = this.#create();
    next.listening = await listen(next.app, this.#address.host, this.#address.port, true);
    this.#generations.push(next);
    before.retiredAt = performance.now();
    setTimeout(() => this.#dropRetired(), RETIRE_TIME + 1).unref();
    // Right after sockets have been served: what waits to be accepted when a listener closes is reset by the kernel.
    setImmediate(() => {
      if (before.listening) us_listen_socket_close(before.listening);
      before.listening = undefined;
    });
  }

  /** Closes old applications that no longer have WebSockets. */
  #dropRetired(): void {
    const end = performance.now() - RETIRE_TIME;
    const isOver = ({ retiredAt, sockets }: Generation) => sockets === 0 && retiredAt !== undefined && retiredAt < end;
    if (!this.#generations.some(isOver)) return;
    const over = this.#generations.filter(isOver);
    this.#generations = this.#generations.filter((generation) => !isOver(generation));
    // Not within an event of a socket of the same application.
    setImmediate(() => {
      for (const { app } of over) app.close();
    });
  }
}

function createTlsApp(certFile: string, keyFile: string): TemplatedApp {
  try {
    return SSLApp({ cert_file_name: certFile, key_file_name: keyFile, ssl_ciphers: TLS_CIPHERS });
  } catch {
    throw new UsageError("--tls-cert and --tls-key cannot be used for TLS");
  }
}
