/** Checks what /status.json tells against its published schema. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import type { NodeReport } from "../../src/admin/status/report.ts";

const schema = JSON.parse(readFileSync(new URL("../../docs/status.schema.json", import.meta.url), "utf8"));
/** Properties that the schema does not know may be there for its readers; here they have been forgotten in it. */
const validate = new Ajv({ allErrors: true }).compile(closed(schema));

/** @throws AssertionError that says what is wrong */
export function assertReport(report: unknown): asserts report is NodeReport {
  assert.ok(validate(report), JSON.stringify(validate.errors));
}

function closed(node: unknown): boolean | Record<string, unknown> {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return node as boolean;
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(node))
    copy[name] = Array.isArray(value) ? value.map((each) => closed(each)) : closed(value);
  if ("properties" in node) copy.additionalProperties = false;
  return copy;
}
