/** Finds the slowest of all connections, and says of each what is wrong with it. */
import type { ClientReport } from "../report/report.ts";
import type { Outlet } from "./outlet.ts";
import type { Session } from "./session.ts";

/** Connections that are looked at before sockets and the bus are served again: well under a millisecond's worth. */
const SLICE = 1_000;
/** What is behind by no more than this, ms, has nothing wrong with it. */
const WELL = 100;
/** A ping that has been out for so long, ms, is one that is not answered. */
const UNANSWERED = 1_000;
/** A trip this many times as long as the bare one, or more, is long because of what is read slowly before it. */
const QUEUED_TRIPS = 2;

/** What is looked at of a session. */
export type Watched = Pick<Session, "id" | "address" | "agent" | "openedAt" | "symbols" | "interval"> & {
  readonly outlet: Pick<Outlet, "behind" | "held" | "conflating" | "closed"> & {
    readonly window: Pick<
      Outlet["window"],
      "size" | "inFlight" | "lastTrip" | "pace" | "roundTrip" | "unansweredSince"
    >;
  };
};

/** A session and how far it was behind when it was looked at, ms. */
interface Place {
  readonly session: Watched;
  readonly behind: number;
}

/**
 * The slowest connections, the slowest first. Ten thousand take a few milliseconds, in slices; those that come or go
 * meanwhile are in it or not.
 * @param now gives ms of the clock
 */
export async function slowestClients(
  sessions: Iterable<Watched>,
  count: number,
  now: () => number,
): Promise<ClientReport[]> {
  const slowest: Place[] = [];
  let looked = 0;
  for (const session of sessions) {
    take(slowest, { session, behind: session.outlet.behind(now()) }, count);
    if (++looked % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return slowest.filter(({ session }) => !session.outlet.closed).map(({ session }) => reportClient(session, now()));
}

/** Puts it where it belongs among the slowest so far, if it does. */
function take(slowest: Place[], place: Place, count: number): void {
  if (slowest.length === count) {
    if (count === 0 || place.behind <= slowest[count - 1].behind) return;
    slowest.pop();
  }
  let at = slowest.length;
  while (at > 0 && slowest[at - 1].behind < place.behind) at--;
  slowest.splice(at, 0, place);
}

/** How one connection does. */
export function reportClient(session: Watched, now: number): ClientReport {
  const { outlet } = session;
  const { window, conflating } = outlet;
  const { interval } = session;
  const { size, inFlight, lastTrip, pace, unansweredSince } = window;
  const bare = Number.isFinite(window.roundTrip) ? window.roundTrip : null;
  const unanswered = unansweredSince === undefined ? null : now - unansweredSince;
  const isQueued = bare !== null && lastTrip >= bare * QUEUED_TRIPS && lastTrip > 0;
  const report = {
    session: session.id,
    address: session.address,
    agent: session.agent,
    connectedFor: now - session.openedAt,
    symbols: session.symbols,
    interval: Number.isFinite(interval) ? interval : null,
    behind: outlet.behind(now),
    roundTrip: bare === null ? null : lastTrip,
    bareRoundTrip: bare,
    unanswered,
    held: outlet.held(now),
    window: size,
    inFlight,
    reads: isQueued && pace > 0 ? pace : null,
    conflating: conflating ?? null,
  };
  return { ...report, why: why(report) };
}

/** What is wrong with a connection, in words for whoever is on call; empty where nothing is. */
export function why(client: Omit<ClientReport, "why">): string {
  const { unanswered, roundTrip, bareRoundTrip, behind, conflating, reads, held } = client;
  if (unanswered !== null && unanswered > UNANSWERED + (bareRoundTrip ?? 0))
    return `client: has not answered for ${seconds(unanswered)}`;
  if (conflating === "server") return "server: this node is late";
  if (conflating === null && behind < WELL) return "";
  if (reads !== null && roundTrip !== null && bareRoundTrip !== null)
    return `client: reads ${bytes(reads)}/s; what is sent takes ${Math.round(roundTrip)} ms instead of ${Math.round(bareRoundTrip)}`;
  if (conflating === "client") return "client: reads too slowly";
  return held > WELL ? `client: its window has been full for ${Math.round(held)} ms` : "client: a slow answer";
}

function seconds(millis: number): string {
  return `${(millis / 1_000).toFixed(1)} s`;
}

function bytes(count: number): string {
  return count < 1_000 ? `${Math.round(count)} B` : `${(count / 1_000).toFixed(1)} KB`;
}
