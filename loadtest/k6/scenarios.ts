/**
 * The scenarios and their parameters. Without imports and platform-specific code, because both Node and k6 load it.
 */

/** A parameter of a scenario. */
export interface Parameter {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly help: string;
  readonly default: number;
}

export const PARAMETERS = {
  connections: { min: 1, max: 50_000, unit: "", default: 100, help: "Connections" },
  symbols: { min: 1, max: 1_000, unit: "", default: 20, help: "Symbols that each connection subscribes to" },
  trades: { min: 0, max: 1, unit: "", default: 0, help: "Symbols of each connection with their trades too" },
  books: { min: 0, max: 1, unit: "", default: 0, help: "Symbols of each connection with their order books too" },
  bars: { min: 0, max: 1, unit: "", default: 0, help: "Symbols of each connection with their bars too" },
  resolution: { min: 1, max: 86_400, unit: "seconds", default: 1, help: "Length of these bars" },
  interval: { min: 0, max: 60_000, unit: "ms", default: 100, help: "The interval of every subscription" },
  duration: {
    min: 4,
    max: 604_800,
    unit: "seconds",
    default: 30,
    help: "Length of the test, from the first connection",
  },
  rate: { min: 1, max: 10_000, unit: "a second", default: 200, help: "New connections" },
  sample: { min: 1, max: 100, unit: "%", default: 100, help: "Share of the frames that are read and checked" },
  storm: { min: 1, max: 99, unit: "%", default: 50, help: "spike: share of the connections that reconnect" },
  within: { min: 1, max: 600, unit: "seconds", default: 5, help: "spike: time within which they reconnect" },
  stay: {
    min: 1,
    max: 3_600,
    unit: "seconds",
    default: 60,
    help: "soak, smoke: length of a connection of the reconnecting half",
  },
  delay: { min: 0, max: 86_400_000, unit: "ms", default: 0, help: "How late all symbols must be" },
  "max-age": {
    min: 0,
    max: 86_400_000,
    unit: "ms",
    default: 0,
    help: "Highest age at p99; 0: interval + 100, with --delay that and a second more",
  },
  "max-connect": {
    min: 1,
    max: 600_000,
    unit: "ms",
    default: 1_000,
    help: "Longest time to connect, at p95",
  },
  "max-snapshot": {
    min: 1,
    max: 600_000,
    unit: "ms",
    default: 2_000,
    help: "Longest time to the last snapshot, at p95",
  },
} as const satisfies Record<string, Parameter>;
export type ParameterName = keyof typeof PARAMETERS;
export type Settings = Readonly<Record<ParameterName, number>>;

/** The names of the resolutions of bars, by their lengths in seconds. */
export const RESOLUTIONS: Readonly<Record<number, string | undefined>> = {
  1: "1s",
  60: "1m",
  300: "5m",
  900: "15m",
  3600: "1h",
  86400: "1d",
};

/** From connecting to disconnecting, ms since the start of the test. */
export interface Visit {
  readonly from: number;
  readonly to: number;
}

export interface Scenario {
  readonly help: string;
  /** Defaults that differ from the parameters'. */
  readonly defaults: Partial<Settings>;
  /** When the client with an index (from 0) is connected. */
  visits(client: number, settings: Settings): Visit[];
  /** Start and end of the reconnect storm. */
  storm?(settings: Settings): Visit;
  /** Whether growth of the gateway's memory is a failure. */
  readonly watchesMemory?: boolean;
}

/** The pause before a client reconnects, ms. */
const RECONNECT_DELAY = 500;
/** How long the storm still has effects after the last client has reconnected, ms. */
const STORM_TAIL = 1_000;

const openedAt = (client: number, { rate }: Settings) => (client * 1_000) / rate;
const end = ({ duration }: Settings) => duration * 1_000;

/** Every second client reconnects repeatedly, the others stay. */
function alternateVisits(client: number, settings: Settings): Visit[] {
  const last = end(settings);
  const first = openedAt(client, settings);
  if (client % 2 === 0) return [{ from: first, to: last }];
  const stay = settings.stay * 1_000;
  const visits: Visit[] = [];
  // The first visit has a different length for each client, so that they do not reconnect together.
  let to = first + stay * (0.5 + ((client * 0.618) % 0.5));
  for (let from = first; from < last; from = to + RECONNECT_DELAY, to = from + stay)
    visits.push({ from, to: Math.min(to, last) });
  return visits;
}

/** The storm starts when all clients are connected, and after a quarter of the test at the earliest. */
const stormAt = (settings: Settings) =>
  Math.max(end(settings) / 4, openedAt(settings.connections, settings) + STORM_TAIL);

/** The clients of the storm are spread over all clients. */
export function isInStorm(client: number, { connections, storm }: Settings): boolean {
  const inStorm = Math.round((connections * storm) / 100);
  return Math.floor(((client + 1) * inStorm) / connections) > Math.floor((client * inStorm) / connections);
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  smoke: {
    help: "A few seconds, every promise checked: half of the clients stay, half reconnect",
    defaults: { connections: 20, duration: 8, stay: 2 },
    visits: alternateVisits,
  },
  steady: {
    help: "Clients that stay connected",
    defaults: { connections: 200, sample: 5 },
    visits: (client, settings) => [{ from: openedAt(client, settings), to: end(settings) }],
  },
  ramp: {
    help: "The number of clients rises for half of the time, stays for a quarter and falls",
    defaults: { connections: 400, duration: 40, sample: 5 },
    visits: (client, settings) => {
      const position = client / settings.connections;
      return [{ from: (position * end(settings)) / 2, to: end(settings) * (1 - position / 4) }];
    },
  },
  spike: {
    help: "A reconnect storm: some clients are disconnected at once and reconnect within seconds; the others must not be affected",
    defaults: { connections: 400, duration: 30, sample: 5, "max-connect": 2_000, "max-snapshot": 3_000 },
    visits: (client, settings) => {
      const all = { from: openedAt(client, settings), to: end(settings) };
      if (!isInStorm(client, settings)) return [all];
      const cut = stormAt(settings);
      // Spread evenly and computed from the index, so that runs are repeatable.
      const back = cut + RECONNECT_DELAY + ((client * 0.618) % 1) * settings.within * 1_000;
      return [
        { from: all.from, to: cut },
        { from: back, to: all.to },
      ];
    },
    storm: (settings) => ({
      from: stormAt(settings),
      to: stormAt(settings) + RECONNECT_DELAY + settings.within * 1_000 + STORM_TAIL,
    }),
  },
  soak: {
    help: "Hours: half of the clients stay, half reconnect, and the gateway's memory must not grow",
    defaults: { connections: 200, duration: 3_600, sample: 5 },
    visits: alternateVisits,
    watchesMemory: true,
  },
};

/** Why a scenario cannot run with these settings; undefined if it can. */
export function refusal(name: string, settings: Settings): string | undefined {
  const { connections, rate, duration, within, resolution } = settings;
  if (!RESOLUTIONS[resolution])
    return `--resolution ${resolution}: there are bars of ${Object.keys(RESOLUTIONS).join(", ")} seconds`;
  const opening = Math.ceil(connections / rate);
  if (name !== "ramp" && opening > duration / 2)
    return `--connections ${connections} at --rate ${rate} take ${opening} s, more than the half of --duration ${duration}`;
  const { storm } = SCENARIOS[name];
  if (storm && storm(settings).to > duration * 1_000 - STORM_TAIL)
    return `--within ${within} does not fit into --duration ${duration}: it takes ${Math.ceil((storm(settings).to + STORM_TAIL) / 1_000)} s or more`;
  return undefined;
}

/** The default settings of a scenario. */
export function defaultsOf(name: string): Settings {
  const all = Object.entries(PARAMETERS).map(([parameter, { default: fallback }]) => [parameter, fallback]);
  return { ...Object.fromEntries(all), ...SCENARIOS[name].defaults } as Settings;
}

/** The environment variable of a parameter. */
export function envName(parameter: string): string {
  return parameter.toUpperCase().replace(/-/g, "_");
}

/** The default of `--delay-sample-interval`, by which late values may be later, ms. */
const DELAY_SAMPLE = 1_000;

/** The limit of the p99 age, ms. */
export function ageLimit({ delay, interval, "max-age": limit }: Settings): number {
  return limit || interval + 100 + (delay > 0 ? delay + DELAY_SAMPLE : 0);
}
