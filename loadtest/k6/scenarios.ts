/**
 * What the load test can do: its scenarios and their parameters, as tables. Without imports, and no code of one
 * platform: the runner reads it in Node, the script in k6.
 */

/** A number that a scenario is given. */
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
  interval: { min: 0, max: 60_000, unit: "ms", default: 100, help: "The interval of every subscription" },
  duration: {
    min: 4,
    max: 604_800,
    unit: "seconds",
    default: 30,
    help: "How long it takes, from the first connection",
  },
  rate: { min: 1, max: 10_000, unit: "a second", default: 200, help: "How fast connections are opened" },
  sample: { min: 1, max: 100, unit: "%", default: 100, help: "Share of the frames that are read and checked" },
  storm: { min: 1, max: 99, unit: "%", default: 50, help: "spike: share of the connections that are in the storm" },
  within: { min: 1, max: 600, unit: "seconds", default: 5, help: "spike: how soon all of those come back" },
  stay: { min: 1, max: 3_600, unit: "seconds", default: 60, help: "soak, smoke: how long those stay that come and go" },
  "max-age": { min: 0, max: 600_000, unit: "ms", default: 0, help: "Ages at p99 that are too old; 0: interval + 100" },
  "max-connect": {
    min: 1,
    max: 600_000,
    unit: "ms",
    default: 1_000,
    help: "Time to connect, at p95, that is too long",
  },
  "max-snapshot": { min: 1, max: 600_000, unit: "ms", default: 2_000, help: "Time to the last snapshot, at p95" },
} as const satisfies Record<string, Parameter>;
export type ParameterName = keyof typeof PARAMETERS;
export type Settings = Readonly<Record<ParameterName, number>>;

/** One stay of a connection, ms since the test began. */
export interface Visit {
  readonly from: number;
  readonly to: number;
}

export interface Scenario {
  readonly help: string;
  /** Where its defaults are others than the parameters'. */
  readonly defaults: Partial<Settings>;
  /** When the connection with a number (a seat, from 0) is there. */
  visits(seat: number, settings: Settings): Visit[];
  /** When the storm begins and ends, ms since the test began. */
  storm?(settings: Settings): Visit;
  /** Whether the gateway's memory must not grow. */
  readonly watchesMemory?: boolean;
}

/** What a client that left waits before it comes again, ms. */
const RECONNECT_DELAY = 500;
/** How long after the last of a storm has come back it is still felt, ms. */
const STORM_TAIL = 1_000;

const openedAt = (seat: number, { rate }: Settings) => (seat * 1_000) / rate;
const end = ({ duration }: Settings) => duration * 1_000;

/** Every second seat comes and goes, the others stay. */
function alternateVisits(seat: number, settings: Settings): Visit[] {
  const last = end(settings);
  const first = openedAt(seat, settings);
  if (seat % 2 === 0) return [{ from: first, to: last }];
  const stay = settings.stay * 1_000;
  const visits: Visit[] = [];
  // The first stay is a part of one, another for each, so that they do not go together.
  let to = first + stay * (0.5 + ((seat * 0.618) % 0.5));
  for (let from = first; from < last; from = to + RECONNECT_DELAY, to = from + stay)
    visits.push({ from, to: Math.min(to, last) });
  return visits;
}

/** When a storm begins: everyone is there, and a quarter of the time was calm. */
const stormAt = (settings: Settings) =>
  Math.max(end(settings) / 4, openedAt(settings.connections, settings) + STORM_TAIL);

/** The seats of the storm are spread over all. */
export function isInStorm(seat: number, { connections, storm }: Settings): boolean {
  const inStorm = Math.round((connections * storm) / 100);
  return Math.floor(((seat + 1) * inStorm) / connections) > Math.floor((seat * inStorm) / connections);
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  smoke: {
    help: "A few seconds: does everything that is promised hold? Half of the clients stay, half come and go",
    defaults: { connections: 20, duration: 8, stay: 2 },
    visits: alternateVisits,
  },
  steady: {
    help: "Clients that stay",
    defaults: { connections: 200, sample: 5 },
    visits: (seat, settings) => [{ from: openedAt(seat, settings), to: end(settings) }],
  },
  ramp: {
    help: "Clients that become more for half of the time, stay for a quarter, and become fewer",
    defaults: { connections: 400, duration: 40, sample: 5 },
    visits: (seat, settings) => {
      const place = seat / settings.connections;
      return [{ from: (place * end(settings)) / 2, to: end(settings) * (1 - place / 4) }];
    },
  },
  spike: {
    help: "A reconnect storm: some of the clients are cut off at once and come back within seconds; the others must not feel it",
    defaults: { connections: 400, duration: 30, sample: 5, "max-connect": 2_000, "max-snapshot": 3_000 },
    visits: (seat, settings) => {
      const all = { from: openedAt(seat, settings), to: end(settings) };
      if (!isInStorm(seat, settings)) return [all];
      const cut = stormAt(settings);
      // Spread evenly: which comes when is known by its number, so that two runs are alike.
      const back = cut + RECONNECT_DELAY + ((seat * 0.618) % 1) * settings.within * 1_000;
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
    help: "Hours: half of the clients stay, half come and go, and the gateway's memory must not grow",
    defaults: { connections: 200, duration: 3_600, sample: 5 },
    visits: alternateVisits,
    watchesMemory: true,
  },
};

/** Why a scenario cannot be run with these settings; undefined when it can. */
export function refusal(name: string, settings: Settings): string | undefined {
  const { connections, rate, duration, within } = settings;
  const opening = Math.ceil(connections / rate);
  if (name !== "ramp" && opening > duration / 2)
    return `--connections ${connections} at --rate ${rate} take ${opening} s, more than the half of --duration ${duration}`;
  const { storm } = SCENARIOS[name];
  if (storm && storm(settings).to > duration * 1_000 - STORM_TAIL)
    return `--within ${within} does not fit into --duration ${duration}: it takes ${Math.ceil((storm(settings).to + STORM_TAIL) / 1_000)} s or more`;
  return undefined;
}

/** The settings of a scenario, where nothing else was asked for. */
export function defaultsOf(name: string): Settings {
  const all = Object.entries(PARAMETERS).map(([parameter, { default: fallback }]) => [parameter, fallback]);
  return { ...Object.fromEntries(all), ...SCENARIOS[name].defaults } as Settings;
}

/** The name of a parameter in the script's environment. */
export function envName(parameter: string): string {
  return parameter.toUpperCase().replace(/-/g, "_");
}

/** What ages at p99 may be, ms. */
export function ageLimit(settings: Settings): number {
  return settings["max-age"] || settings.interval + 100;
}
