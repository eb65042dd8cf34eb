import { BusRecord } from "../bus_record.ts";

/** One bar as the bus carries it. */
export class BarRecord extends BusRecord {
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
