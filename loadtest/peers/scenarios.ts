/** What all peers are measured at: loads that differ in size, each with and without slow readers. */

export interface Scenario {
  readonly name: string;
  /** What it is for, as the page says it. */
  readonly title: string;
  readonly connections: number;
  /** Symbols that each connection subscribes to. */
  readonly perConnection: number;
  /** Symbols in the market. */
  readonly symbols: number;
  /** Ticks a second, all symbols together. */
  readonly rate: number;
  /** Connections of these that read slowly. */
  readonly slow: number;
}

/** A load without slow readers, from which its scenarios are made. */
export interface Load extends Omit<Scenario, "slow"> {}

/** Updates a second that there would be if every tick came to everyone who has subscribed to its symbol. */
export function offered({ connections, perConnection, symbols, rate }: Load): number {
  return (connections * perConnection * rate) / symbols;
}

/** The load's scenario, and the same with a share of slow readers. */
export function scenariosOf(load: Load, slowShare: number): Scenario[] {
  const slow = Math.round(load.connections * slowShare);
  const all: Scenario = { ...load, slow: 0 };
  if (slow === 0) return [all];
  const title = `${load.title}, ${Math.round(slowShare * 100)} % slow readers`;
  return [all, { ...load, name: `${load.name}-slow`, title, slow }];
}
