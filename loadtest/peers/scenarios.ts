/** The loads that all peers are measured with, with and without slow clients. */

export interface Scenario {
  readonly name: string;
  /** What the load shows, for the page. */
  readonly title: string;
  readonly connections: number;
  /** Symbols that each connection subscribes to. */
  readonly perConnection: number;
  /** Symbols in the market. */
  readonly symbols: number;
  /** Ticks a second, all symbols together. */
  readonly rate: number;
  /** How many of the connections read slowly. */
  readonly slow: number;
}

/** A load without slow clients. */
export interface Load extends Omit<Scenario, "slow"> {}

/** Updates per second if every tick reached every connection that subscribed to its symbol. */
export function offered({ connections, perConnection, symbols, rate }: Load): number {
  return (connections * perConnection * rate) / symbols;
}

/** The load's name as tables show it. */
export function loadLabel({ name, slow, connections }: Scenario): string {
  return slow > 0 ? `${name.replace(/-slow$/, "")}, ${Math.round((slow / connections) * 100)} % slow` : name;
}

/** The load's scenario, and the same with a share of slow clients. */
export function scenariosOf(load: Load, slowShare: number): Scenario[] {
  const slow = Math.round(load.connections * slowShare);
  const all: Scenario = { ...load, slow: 0 };
  if (slow === 0) return [all];
  const title = `${load.title}, ${Math.round(slowShare * 100)} % slow clients`;
  return [all, { ...load, name: `${load.name}-slow`, title, slow }];
}
