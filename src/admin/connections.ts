/**
 * The connections of the admin port. A new connection is always accepted, so that a health check always finds room;
 * above the limit, an idle one is closed.
 */
import type { Socket } from "node:net";
import { addressKey, plainAddress } from "../gateway/http/address.ts";

/** Connections at once: scrapers, balancers and people need ten or twenty. Clients share the limit on open files. */
const MOST_CONNECTIONS = 64;

interface Connection {
  readonly address: string;
  /** Whether a request is in progress. */
  isBusy: boolean;
}

export class AdminConnections {
  /** The oldest first. */
  readonly #connections = new Map<Socket, Connection>();

  get size(): number {
    return this.#connections.size;
  }

  add(socket: Socket): void {
    this.#connections.set(socket, { address: clientKey(socket), isBusy: false });
    socket.once("close", () => this.#connections.delete(socket));
    if (this.#connections.size > MOST_CONNECTIONS) this.#chooseVictim(socket)?.destroy();
  }

  /** A connection's handshake is over: from now on it is this socket, which has the address of the one below it. */
  secure(secured: Socket): void {
    for (const socket of this.#connections.keys())
      if (socket.remotePort === secured.remotePort && socket.remoteAddress === secured.remoteAddress)
        this.#connections.delete(socket);
    this.add(secured);
  }

  /**
   * Begins a request.
   * @returns whether it may be answered: one at a time, because Node begins all requests of a connection at once
   */
  begin(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (!connection || connection.isBusy) return false;
    connection.isBusy = true;
    return true;
  }

  end(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection) connection.isBusy = false;
  }

  /** The oldest idle connection of the address with the most; when all are busy, the oldest of that address. */
  #chooseVictim(newest: Socket): Socket | undefined {
    const counts = new Map<string, number>();
    for (const { address } of this.#connections.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const candidates = [...this.#connections].filter(
      ([socket, { address }]) => socket !== newest && counts.get(address) === most,
    );
    return (candidates.find(([, { isBusy }]) => !isBusy) ?? candidates[0])?.[0];
  }
}

/** The peer's address, in the form that limits count by. */
export function clientKey(socket: Socket): string {
  const address = socket.remoteAddress ?? "";
  return addressKey(plainAddress(address) ?? address);
}
