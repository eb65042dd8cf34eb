/** How many connections each subject has at this node, and each role. */
import type { Identity } from "../../identity/identity.ts";
import { addressKey } from "../http/address.ts";

export class ConnectedIdentities {
  /** By subject; of clients without a token by address. Not more than there are connections. */
  readonly #connections = new Map<string, number>();
  /** Connections by role, for metrics: a connection of several roles counts in each. */
  readonly byRole = new Map<string, number>();

  /** Whether the identity may have another connection. */
  hasRoom(identity: Identity, address: string): boolean {
    return (this.#connections.get(keyOf(identity, address)) ?? 0) < identity.maxConnections;
  }

  /** Counts a connection, until {@link remove}. */
  add(identity: Identity, address: string): void {
    this.#count(identity, address, 1);
  }

  remove(identity: Identity, address: string): void {
    this.#count(identity, address, -1);
  }

  #count(identity: Identity, address: string, change: number): void {
    const key = keyOf(identity, address);
    const connections = (this.#connections.get(key) ?? 0) + change;
    if (connections > 0) this.#connections.set(key, connections);
    else this.#connections.delete(key);
    // A role that nobody has any more stays at 0, so that its metric does not disappear.
    for (const role of identity.roles) this.byRole.set(role, (this.byRole.get(role) ?? 0) + change);
  }
}

function keyOf({ subject }: Identity, address: string): string {
  return subject === undefined ? `address ${addressKey(address)}` : `subject ${subject}`;
}
