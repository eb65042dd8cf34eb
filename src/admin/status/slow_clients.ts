/** Finds the slowest of all connections, and says of each what is wrong with it. */

import type { OutboundConnection } from "../../gateway/session/outbound_connection.ts";
import type { Session } from "../../gateway/session/session.ts";
import { bytes, duration } from "./format.ts";
import type { ClientReport } from "./report.ts";

/** Connections that are looked at before sockets and the bus are served again: well under a millisecond's worth. */
const SLICE = 1_000;
/** What is behind by no more than this, ms, has nothing wrong with it. */
const SMALL_DELAY = 100;
/** A ping that has been out for so long, ms, is one that is not answered. */
const UNANSWERED = 1_000;
/** A trip this many times as long as the bare one, or more, is long because of what is read slowly before it. */
const QUEUED_TRIPS = 2;

/** What is looked at of a session. */
export type InspectedSession = Pick<Session, "id" | "address" | "agent" | "openedAt" | "symbols" | "interval"> & {
  readonly outbound: Pick<
    OutboundConnection,
    "behind" | "held" | "age" | "ticks" | "conflated" | "conflating" | "isClosed"
  > & {
    readonly window: Pick<
      OutboundConnection["window"],
      "size" | "inFlight" | "lastTrip" | "pace" | "roundTrip" | "unansweredSince"
    >;
  };
};

/** A session and how far it was behind when it was looked at, ms. */
interface RankedSession {
  readonly session: InspectedSession;
  readonly behind: number;
}

/**
 * Ten thousand connections take a few milliseconds, in slices; those that come or go meanwhile are in it or not.
 * @param count how many of the slowest are wanted; the slowest comes first
 * @param now gives ms of the clock
 */
export async function slowestClients(
  sessions: Iterable<InspectedSession>,
  count: number,
  now: () => number,
): Promise<ClientReport[]> {
  const slowest: RankedSession[] = [];
  let looked = 0;
  let time = now();
  for (const session of sessions) {
    insertRanked(slowest, { session, behind: session.outbound.behind(time) }, count);
    if (++looked % SLICE > 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    time = now();
  }
  const open = slowest.filter(({ session }) => !session.outbound.isClosed);
  return open.map(({ session }) => reportClient(session, time));
}

/** Puts it where it belongs among the slowest so far, if it does. */
function insertRanked(slowest: RankedSession[], place: RankedSession, count: number): void {
  if (slowest.length === count) {
    if (count === 0 || place.behind <= slowest[count - 1].behind) return;
    slowest.pop();
  }
  let at = slowest.length;
  while (at > 0 && slowest[at - 1].behind < place.behind) at--;
  slowest.splice(at, 0, place);
}

/** How one connection does. */
export function reportClient(session: InspectedSession, now: number): ClientReport {
  const { outbound } = session;
  const { window, conflating } = outbound;
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
    behind: outbound.behind(now),
    age: known(outbound.age),
    roundTrip: bare === null ? null : lastTrip,
    bareRoundTrip: bare,
    unanswered,
    held: outbound.held(now),
    window: size,
    inFlight,
    ticks: outbound.ticks,
    conflated: outbound.conflated,
    reads: isQueued && pace > 0 ? pace : null,
    conflating: conflating ?? null,
  };
  return { ...report, why: why(report) };
}

/** NaN is what is not known. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** What is wrong with a connection, in words for whoever is on call; empty where nothing is. */
export function why(client: Omit<ClientReport, "why">): string {
  const { unanswered, roundTrip, bareRoundTrip, behind, conflating, reads, held } = client;
  if (unanswered !== null && unanswered > UNANSWERED + (bareRoundTrip ?? 0))
    return `client: has not answered for ${duration(unanswered)}`;
  if (conflating === "server") return "server: this node is late";
  if (conflating === null && behind < SMALL_DELAY) return "";
  if (reads !== null && roundTrip !== null && bareRoundTrip !== null)
    return `client: reads ${bytes(reads)}/s; what is sent takes ${duration(roundTrip)} instead of ${duration(bareRoundTrip)}`;
  if (conflating === "client") return "client: reads too slowly";
  return held > SMALL_DELAY ? `client: its window has been full for ${duration(held)}` : "client: a slow answer";
}
