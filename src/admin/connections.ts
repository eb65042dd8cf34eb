/**
 * The connections of the admin port: a few, and never so many that a health check finds no room. A new one is always
 * taken; where there are too many, one that waits for nothing goes.
 */
import type { Socket } from "node:net";
import { addressKey, plainAddress } from "../gateway/http/address.ts";

/** Connections at once: scrapers, balancers and people are ten or twenty. They take open files from clients. */
const MOST_CONNECTIONS = 64;

interface Connection {
  readonly address: string;
  /** Whether a request is being answered. */
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

  /**
   * A request has come.
   * @returns whether it may be answered: one at a time, since Node starts to answer all that come on a connection at
   * once
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

  /** The oldest without a request, of the address that has the most; where all have one, the oldest of that address. */
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

/** Who is at the other end, as limits count it. */
export function clientKey(socket: Socket): string {
  const address = socket.remoteAddress ?? "";
  return addressKey(plainAddress(address) ?? address);
}
