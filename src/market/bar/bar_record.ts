import { BusRecord } from "../bus_record.ts";

/** A bar without its flags. */
export interface Bar {
  /** When it begins, microseconds since the Unix epoch. */
  readonly start: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  /** How many; 0 where that is not known. */
  readonly trades: number;
}

/** One bar as the bus carries it. */
export class BarRecord extends BusRecord implements Bar {
  /** When it begins, microseconds since the Unix epoch. */
  start = 0;
  open = 0;
  high = 0;
  low = 0;
  close = 0;
  volume = 0;
  trades = 0;
  flags = 0;
}
