/**
 * How symbols are asked for: an interval and a set of fields in one number. Thousands of them are compared, merged and
 * kept without allocation. 0 means not wanted.
 */
import { FIELD_COUNT, FIELDS, type Field, fieldIndex } from "../../base/tick.ts";

/** `interval` × 1024 + a bit for each field; 0 for not wanted. */
export type Spec = number;

export const UNWANTED: Spec = 0;
/** A bit for each field. */
export type FieldSet = number;
const SETS = 1 << FIELD_COUNT;
export const ALL_FIELDS: FieldSet = SETS - 1;

/** @param interval whole ms */
export function specOf(interval: number, fields: FieldSet): Spec {
  return interval * SETS + fields;
}

export function intervalOf(spec: Spec): number {
  return Math.floor(spec / SETS);
}

/** The fields by name in the order of {@link FIELDS}; undefined for all of them. */
export function fieldsOf(spec: Spec): Field[] | undefined {
  const set = spec % SETS;
  return set === ALL_FIELDS ? undefined : FIELDS.filter((_, index) => set & (1 << index));
}

/** The set of some fields; of all of them when none are named. */
export function fieldSet(fields: readonly Field[] | undefined): FieldSet {
  return fields ? fields.reduce((set, field) => set | (1 << fieldIndex(field)), 0) : ALL_FIELDS;
}

/** What is asked for besides the interval: of quotes the fields. */
export function demandOf(spec: Spec): number {
  return spec % SETS;
}

/** A spec that serves both: the shorter interval, and what the channel merges of both. */
export function merge(one: Spec, other: Spec, both: (one: number, other: number) => number): Spec {
  if (one === UNWANTED || other === UNWANTED) return one + other;
  return specOf(Math.min(intervalOf(one), intervalOf(other)), both(demandOf(one), demandOf(other)));
}
