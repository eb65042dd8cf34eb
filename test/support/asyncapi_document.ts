/** docs/asyncapi.yaml for tests: its parts, and its schemas as checks of messages. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parse } from "yaml";

/** The parts of a JSON Schema that tests read. */
export interface Schema {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema | readonly Schema[];
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly default?: unknown;
  readonly "x-retryable"?: boolean;
  readonly "x-come-back"?: boolean;
}

interface Message {
  readonly name: string;
  readonly payload: { readonly $ref: string };
  readonly examples: readonly { readonly payload: unknown }[];
}

interface Operation {
  readonly action: "send" | "receive";
  readonly messages: readonly { readonly $ref: string }[];
  readonly reply?: { readonly messages: readonly { readonly $ref: string }[] };
}

/** The parts of the document that tests read. */
export interface Document {
  readonly info: { readonly description: string };
  readonly channels: {
    readonly stream: {
      readonly address: string;
      readonly messages: Readonly<Record<string, unknown>>;
      readonly "x-subprotocols": Readonly<Record<string, unknown>>;
      readonly bindings: { readonly ws: { readonly headers: Schema } };
    };
  };
  readonly operations: Readonly<Record<string, Operation>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

export const document = parse(
  readFileSync(new URL("../../docs/asyncapi.yaml", import.meta.url), "utf8"),
) as Readonly<Document>;

/** The name that a reference to a message or a schema ends with. */
export function nameOf({ $ref }: { readonly $ref: string }): string {
  return $ref.slice($ref.lastIndexOf("/") + 1);
}

// Strict: a misspelt keyword of a schema is an error, not an ignored rule.
const ajv = new Ajv({
  strict: true,
  strictTuples: false,
  allowUnionTypes: true,
  keywords: ["components", "x-retryable", "x-come-back"],
});
ajv.addSchema({ $id: "tickgate", components: document.components });

/** @returns the errors of a value by a schema of the document; empty if it is valid */
export function faults(schema: string, value: unknown): string {
  const validate = ajv.getSchema(`tickgate#/components/schemas/${schema}`);
  if (!validate) throw new Error(`the document has no schema ${schema}`);
  return validate(value) ? "" : ajv.errorsText(validate.errors, { dataVar: schema });
}

/** The name of a message: its op, or `frame`. */
export function kindOf(value: unknown): string {
  return Array.isArray(value) ? "frame" : String((value as { op?: unknown } | null)?.op);
}
