/** A quote: all that the client knows of one symbol. The same object lives on through ticks and reconnects. */
import { FIELDS, type Field, type State } from "../tick.ts";

/** Whether what came over a connection is still current: shared by all quotes of that connection. */
export interface Link {
  current: boolean;
}

/** No connection yet. */
export const NO_LINK: Link = { current: false };

export class Quote {
  readonly symbol: string;
  /** Its handle on the present connection. */
  handle = -1;
  /** The granted interval, ms. */
  interval = 0;
  /** What {@link values} are of. */
  fields: readonly Field[] = FIELDS;
  /** The latest tick's values in the order of {@link fields}; null where not known. Empty before the first tick. */
  values: readonly (number | null)[] = [];
  /** The latest tick's number at the publisher; 0 before the first tick. */
  seq = 0;
  /** When the source says that it happened, microseconds since the Unix epoch. */
  eventTime = 0;
  /** When the gateway sent it, microseconds since the Unix epoch. */
  sentAt = 0;
  /** Ticks received. */
  ticks = 0;
  /** Ticks left out because newer ones replaced them. */
  conflated = 0;
  /** Why the symbol stands as it does; empty when the gateway gave no reason. */
  reason = "";
  /** Since when, microseconds since the Unix epoch; 0 when not told. */
  since = 0;
  /** What the gateway has said of its state since it was granted; live goes without saying. */
  told: State | undefined;
  /** The connection that the latest tick came over. */
  link: Link = NO_LINK;

  constructor(symbol: string) {
    this.symbol = symbol;
  }

  /**
   * `live`; `stale`: its feed is silent, or the connection is, or no tick has come since it was made again; `closed`:
   * its feed has ended; `unknown`: no tick has ever come.
   */
  get state(): State | "unknown" {
    if (this.seq === 0) return this.told === "live" || this.told === undefined ? "unknown" : this.told;
    if (this.told === "closed") return "closed";
    return this.link.current ? (this.told ?? "live") : "stale";
  }

  /** A value of the latest tick; null when it is not known or the field is not granted. */
  get(field: Field): number | null {
    return this.values[this.fields.indexOf(field)] ?? null;
  }

  /** The latest tick's values by name: the granted fields, in their order. */
  toObject(): { [F in Field]?: number | null } {
    const object: { [F in Field]?: number | null } = {};
    for (const [index, field] of this.fields.entries()) object[field] = this.values[index] ?? null;
    return object;
  }
}
