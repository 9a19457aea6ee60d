/**
 * Holds synthesized Terraform JSON against the provider's schema, without Terraform and in
 * milliseconds: unknown, read-only and missing arguments, wrong types, too many or too few blocks,
 * unknown keys of objects. Types see none of this once an escape hatch was used, and Terraform itself
 * lets two of them pass (gitops-iac.md A4).
 */
import { unreachable } from "../src/base/assert.js";
import { isJsonObject, type Json, type JsonObject } from "../src/base/json.js";
import { didYouMean } from "../src/base/similar.js";
import {
  type AttributeSchema,
  type AttributeType,
  type BlockSchema,
  dataSchema,
  type NestedBlockSchema,
  type ProviderSchema,
  REMOTE_STATE,
} from "./provider-schema.js";

export interface StackFinding {
  /** Where in the document: `resource.aws_ecs_service.api-service.desired_count`. */
  readonly at: string;
  /** One sentence: what was found, what was expected. */
  readonly message: string;
}

/** Of Terraform itself, not of any provider. */
const META_ARGUMENTS = new Set([
  "//",
  "count",
  "connection",
  "depends_on",
  "for_each",
  "lifecycle",
  "provider",
  "provisioner",
]);

const LIFECYCLE_ARGUMENTS = new Set([
  "create_before_destroy",
  "ignore_changes",
  "postcondition",
  "precondition",
  "prevent_destroy",
  "replace_triggered_by",
]);

/** All findings in one `cdk.tf.json`, none when it fits the schema. */
export function checkSchema(document: JsonObject, schema: ProviderSchema): StackFinding[] {
  return [
    ...checkProviders(document, schema),
    ...checkKind(document, "resource", {
      known: Object.keys(schema.resource_schemas),
      blockOf: (type) => schema.resource_schemas[type]?.block,
    }),
    ...checkKind(document, "data", {
      known: [...Object.keys(schema.data_source_schemas), REMOTE_STATE],
      blockOf: (type) => dataSchema(schema, type),
    }),
  ];
}

function checkProviders({ provider }: JsonObject, schema: ProviderSchema): StackFinding[] {
  if (!isJsonObject(provider)) return [];
  return itemsOf(provider.aws).flatMap((item, index) => {
    return checkBlock(item, schema.provider.block, `provider.aws[${index}]`);
  });
}

/** The types of one kind of element. */
interface Kind {
  readonly known: readonly string[];
  readonly blockOf: (type: string) => BlockSchema | undefined;
}

function checkKind(
  document: JsonObject,
  kind: "resource" | "data",
  { known, blockOf }: Kind,
): StackFinding[] {
  return elementsOf(document, kind).flatMap(({ at, type, body }) => {
    const block = blockOf(type);
    if (block === undefined) {
      const hint = didYouMean(type, known);
      const remedy = hint ?? "run node scripts/provider-schema.mjs if stacks/ began to use it";
      return [{ at, message: `the schema has no ${kind} type "${type}" (${remedy})` }];
    }
    return [
      ...checkBlock(withoutMeta(body), block, at),
      ...checkLifecycle(body.lifecycle, block, `${at}.lifecycle`),
    ];
  });
}

export interface StackElement {
  readonly at: string;
  readonly type: string;
  readonly name: string;
  readonly body: JsonObject;
}

/** Every resource or data source of a document, flat. */
export function elementsOf(document: JsonObject, kind: "resource" | "data"): StackElement[] {
  const types = document[kind];
  if (!isJsonObject(types)) return [];
  return Object.entries(types).flatMap(([type, named]) =>
    Object.entries(isJsonObject(named) ? named : {}).map(([name, body]) => ({
      at: `${kind}.${type}.${name}`,
      type,
      name,
      body: isJsonObject(body) ? body : {},
    })),
  );
}

function withoutMeta(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !META_ARGUMENTS.has(key)));
}

function checkLifecycle(lifecycle: Json | undefined, block: BlockSchema, at: string) {
  if (!isJsonObject(lifecycle)) return [];
  const findings: StackFinding[] = [];
  for (const key of Object.keys(lifecycle)) {
    if (!LIFECYCLE_ARGUMENTS.has(key)) findings.push(unknown(`${at}.${key}`, LIFECYCLE_ARGUMENTS));
  }
  const ignored = Array.isArray(lifecycle.ignore_changes) ? lifecycle.ignore_changes : [];
  for (const name of ignored) {
    if (typeof name === "string" && !namesOf(block).includes(name.split(/[.[]/)[0]!)) {
      findings.push(unknown(`${at}.ignore_changes.${name}`, namesOf(block)));
    }
  }
  return findings;
}

function checkBlock(value: Json, block: BlockSchema, at: string): StackFinding[] {
  if (!isJsonObject(value)) return [{ at, message: `found ${show(value)}, expected a block` }];
  const given = Object.entries(value).filter(([, item]) => item !== null);
  return [
    ...given.flatMap(([key, item]) => checkArgument(key, item, block, `${at}.${key}`)),
    ...missing(new Set(given.map(([key]) => key)), block, at),
  ];
}

function checkArgument(key: string, value: Json, block: BlockSchema, at: string): StackFinding[] {
  const attribute = block.attributes?.[key];
  if (attribute !== undefined) return checkAttribute(value, attribute, at);
  const nested = block.block_types?.[key];
  if (nested !== undefined) return checkNested(value, nested, at);
  return [unknown(at, namesOf(block))];
}

function checkAttribute(value: Json, attribute: AttributeSchema, at: string): StackFinding[] {
  if (!attribute.required && !attribute.optional)
    return [{ at, message: "is read-only: the provider sets it" }];
  return checkType(value, attribute.type, at);
}

function checkNested(value: Json, nested: NestedBlockSchema, at: string): StackFinding[] {
  const items = itemsOf(value);
  const most = nested.nesting_mode === "single" ? 1 : (nested.max_items ?? Infinity);
  const least = nested.min_items ?? 0;
  const findings = items.flatMap((item, index) =>
    checkBlock(item, nested.block, items.length === 1 ? at : `${at}[${index}]`),
  );
  if (items.length > most)
    findings.push({ at, message: `has ${items.length} blocks, expected at most ${most}` });
  if (items.length < least)
    findings.push({ at, message: `has ${items.length} blocks, expected at least ${least}` });
  return findings;
}

function missing(given: ReadonlySet<string>, block: BlockSchema, at: string): StackFinding[] {
  const attributes = Object.entries(block.attributes ?? {}).filter(([, { required }]) => required);
  const blocks = Object.entries(block.block_types ?? {}).filter(
    ([, { min_items }]) => (min_items ?? 0) > 0,
  );
  return [...attributes, ...blocks]
    .filter(([name]) => !given.has(name))
    .map(([name]) => ({ at, message: `must have "${name}"` }));
}

/** Terraform's own conversions are allowed; an expression may become anything. */
function checkType(value: Json, type: AttributeType, at: string): StackFinding[] {
  if (value === null || (typeof value === "string" && value.includes("${"))) return [];
  if (typeof type === "string") {
    return fitsPlain(value, type)
      ? []
      : [{ at, message: `found ${show(value)}, expected ${type}` }];
  }
  switch (type[0]) {
    case "list":
    case "set":
      return checkItems(value, type[1], at);
    case "map":
      return checkEntries(value, () => type[1], at);
    case "object":
      return checkEntries(value, (key) => type[1][key], at);
    default:
      return unreachable(type[0]);
  }
}

function checkItems(value: Json, type: AttributeType, at: string): StackFinding[] {
  if (!Array.isArray(value)) return [{ at, message: `found ${show(value)}, expected a list` }];
  return value.flatMap((item, index) => checkType(item, type, `${at}[${index}]`));
}

function checkEntries(
  value: Json,
  typeOf: (key: string) => AttributeType | undefined,
  at: string,
): StackFinding[] {
  if (!isJsonObject(value)) return [{ at, message: `found ${show(value)}, expected an object` }];
  return Object.entries(value).flatMap(([key, item]) => {
    const type = typeOf(key);
    return type === undefined
      ? [unknown(`${at}.${key}`, [])]
      : checkType(item, type, `${at}.${key}`);
  });
}

function fitsPlain(value: Json, type: "string" | "number" | "bool" | "dynamic"): boolean {
  switch (type) {
    case "dynamic":
      return true;
    case "string":
      return typeof value !== "object";
    case "number":
      return typeof value === "number" || (typeof value === "string" && /^-?[\d.]+$/.test(value));
    case "bool":
      return typeof value === "boolean" || value === "true" || value === "false";
    default:
      return unreachable(type);
  }
}

function itemsOf(value: Json | undefined): Json[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function namesOf(block: BlockSchema): string[] {
  return [...Object.keys(block.attributes ?? {}), ...Object.keys(block.block_types ?? {})];
}

function unknown(at: string, known: Iterable<string>): StackFinding {
  const hint = didYouMean(at.slice(at.lastIndexOf(".") + 1), known);
  return { at, message: `is unknown${hint ? ` (${hint})` : ""}` };
}

function show(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
