/** Checks /status.json against its published schema. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import type { NodeReport } from "../../src/admin/status/report.ts";

const schema = JSON.parse(readFileSync(new URL("../../docs/status.schema.json", import.meta.url), "utf8"));
/** Readers must accept unknown properties; in this test an unknown one means that the schema lacks it. */
const validate = new Ajv({ allErrors: true }).compile(closed(schema));

/** @throws AssertionError with the errors */
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
