/** The schemas as files for editors: completion and red lines while typing. */
import { OVERLAY_SECTIONS } from "./overlay.js";
import { SECTION_SCHEMAS, SECTIONS } from "./schema.js";

export type JsonSchema = { readonly [key: string]: unknown };

const DIALECT = "http://json-schema.org/draft-07/schema#";

/** File name below `policies/schema/` → JSON Schema. The committed files are compared with this. */
export function policySchemas(): Record<string, JsonSchema> {
  const sections = SECTIONS.map((section): [string, JsonSchema] => [
    `${section}.schema.json`,
    { $schema: DIALECT, title: section, ...toPlain(SECTION_SCHEMAS[section]) },
  ]);
  return Object.fromEntries([
    ...sections,
    ["environment.schema.json", { $schema: DIALECT, title: "environment", ...ENVIRONMENT_SCHEMA }],
  ]);
}

/** An overlay is any part of the common files, by section. */
export const ENVIRONMENT_SCHEMA: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: Object.fromEntries(
    OVERLAY_SECTIONS.map((section) => [section, toPartial(toPlain(SECTION_SCHEMAS[section]))]),
  ),
};

/** Only which sections it may have. */
export const OVERLAY_SCHEMA: JsonSchema = {
  ...ENVIRONMENT_SCHEMA,
  properties: Object.fromEntries(OVERLAY_SECTIONS.map((section) => [section, { type: "object" }])),
};

function toPlain(schema: unknown): JsonSchema {
  return JSON.parse(JSON.stringify(schema)) as JsonSchema;
}

/** Nothing is required any more; what is there must still have its shape. */
function toPartial(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toPartial);
  if (typeof schema !== "object" || schema === null) return schema;
  const view = schema as Readonly<Record<string, unknown>>;
  const isObject = view.type === "object";
  const kept = Object.entries(view).filter(
    ([key]) => !(isObject && (key === "required" || key === "minProperties")),
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, toPartial(value)]));
}
