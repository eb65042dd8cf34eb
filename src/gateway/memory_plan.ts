/** Whether what the settings allow fits into memory: said at start, not found out when clients have filled it. */
import { totalmem } from "node:os";
import { MAX_HEAP_BYTES } from "../market/heap.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";

/** What a row of the market table takes with its symbol and its place in the indexes, bytes. Measured: 423. */
const ROW_BYTES = 450;
/** What the largest encoded tick of a row takes: ten fields in JSON, see encoder.ts. */
const ENCODED_BYTES = 384;
/** Field lists where the setting names no number. */
const DEFAULT_FIELD_LISTS = 32;
/** The part of the heap, and of the machine's memory, that encoded ticks may take where the setting names no number. */
const ENCODED_SHARE = 1 / 4;

type PlanSettings = Pick<Settings, "maxSymbols" | "maxAwaitedSymbols" | "maxDelayedRows" | "maxFieldLists" | "workers">;

/**
 * How many field lists have their encoded ticks shared: as many as the setting names, or what fits.
 * @param memory what the machine has for this process and its siblings, bytes
 * @throws UsageError when the settings allow more than fits
 */
export function fieldListsThatFit(settings: PlanSettings, memory = availableMemory()): number {
  const { maxSymbols, maxAwaitedSymbols, maxDelayedRows, maxFieldLists, workers } = settings;
  const rows = maxSymbols + maxAwaitedSymbols + maxDelayedRows;
  const share = memory / workers;
  const table = rows * ROW_BYTES;
  if (table > share)
    throw new UsageError(
      `--max-symbols ${maxSymbols} and --max-awaited-symbols ${maxAwaitedSymbols} need ${inGigabytes(table)}; a process has ${inGigabytes(share)}`,
    );
  const encoded = rows * ENCODED_BYTES;
  if (maxFieldLists === 0) {
    const most = Math.min(MAX_HEAP_BYTES, share) * ENCODED_SHARE;
    return Math.max(1, Math.min(DEFAULT_FIELD_LISTS, Math.floor(most / encoded)));
  }
  const room = Math.min(MAX_HEAP_BYTES, share - table);
  const most = Math.floor(room / encoded);
  if (maxFieldLists > most)
    throw new UsageError(
      `--max-field-lists ${maxFieldLists} with room for ${rows} symbols needs ${inGigabytes(encoded * maxFieldLists)} of ${inGigabytes(room)}: it must be at most ${most}, or 0 for what fits`,
    );
  return maxFieldLists;
}

/** The machine's memory, or less where the process is in a control group with a limit. */
function availableMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function inGigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GB`;
}
