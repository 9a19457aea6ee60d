/**
 * Adoption of an estate that was made by hand: which resource of our stacks is which thing that exists, as `import`
 * blocks for Terraform. Things are known by their names: a bucket by its bucket name, a service by cluster and name.
 */
import { isJsonObject, type Json, type JsonObject } from "../../base/json.js";
import { fillKey, IMPORT_RULES } from "./import-rules.js";

/** One thing that exists in AWS. */
export interface FoundResource {
  /** Terraform's word for its kind: `aws_lb`. */
  readonly type: string;
  /** What `terraform import` asks for. */
  readonly id: string;
  /** Its key by the import rules, where the id does not say it (an ARN with random letters, `vpc-0a1b…`). */
  readonly name: string | null;
}

export interface ImportBlock {
  /** Address inside the stack: `aws_lb.balancer`. */
  readonly to: string;
  readonly id: string;
}

export interface Adoption {
  /** By stack; a stack without imports has none. */
  readonly imports: Readonly<Record<string, readonly ImportBlock[]>>;
  /** Addresses that will be made: nothing that exists answers to their key. */
  readonly missing: readonly { stack: string; address: string; key: string | null }[];
  /** Things that no stack describes: they stay as they are, outside Terraform. */
  readonly unclaimed: readonly FoundResource[];
}

/** `documents` are `cdk.tf.json` of each stack, by name. */
export function planAdoption(
  documents: Readonly<Record<string, JsonObject>>,
  found: readonly FoundResource[],
): Adoption {
  const byKey = new Map(found.map((one) => [lookup(one.type, one.name ?? one.id), one]));
  const looked = Object.entries(documents).flatMap(([stack, document]) =>
    resourcesOf(document).map(({ address, type, body }) => {
      const key = keyOf(document, type, body);
      const existing = key === null ? undefined : byKey.get(lookup(type, key));
      return { stack, address, key, existing };
    }),
  );
  const imports: Record<string, ImportBlock[]> = {};
  for (const { stack, address, existing } of looked) {
    if (existing === undefined) continue;
    imports[stack] = [...(imports[stack] ?? []), { to: address, id: existing.id }];
  }
  const missing = looked
    .filter(({ existing }) => existing === undefined)
    .map(({ stack, address, key }) => ({ stack, address, key }));
  const claimed = new Set(looked.map(({ existing }) => existing));
  return { imports, missing, unclaimed: found.filter((one) => !claimed.has(one)) };
}

/** The file beside `cdk.tf.json`. An id is foreign text: it must not become an expression. */
export function importFile(blocks: readonly ImportBlock[]): string {
  const escaped = blocks.map(({ to, id }) => ({ to, id: id.replaceAll(/[$%](?=\{)/g, "$&$&") }));
  return `${JSON.stringify({ import: escaped }, null, 2)}\n`;
}

function lookup(type: string, key: string): string {
  return `${type} ${key}`;
}

interface Resource {
  readonly address: string;
  readonly type: string;
  readonly body: JsonObject;
}

function resourcesOf({ resource }: JsonObject): Resource[] {
  return Object.entries(isJsonObject(resource) ? resource : {}).flatMap(([type, named]) =>
    Object.entries(isJsonObject(named) ? named : {})
      .filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]))
      .map(([name, body]) => ({ address: `${type}.${name}`, type, body })),
  );
}

/** References deeper than this are a circle, which Terraform would refuse. */
const DEPTH_MAX = 8;

/** Null when the key depends on what is known only after apply. */
function keyOf(document: JsonObject, type: string, body: JsonObject, depth = 0): string | null {
  const rule = IMPORT_RULES[type];
  if (rule === undefined || depth > DEPTH_MAX) return null;
  return fillKey(rule.key, (path) => textOf(document, valueAt(body, path), depth + 1));
}

function valueAt(body: JsonObject, path: readonly string[]): Json {
  return path.reduce<Json>((inside, name) => {
    if (Array.isArray(inside)) return inside[Number(name)] ?? null;
    return isJsonObject(inside) ? (inside[name] ?? null) : null;
  }, body);
}

const REFERENCE = /\$\{(aws_\w+)\.([\w-]+)\.(\w+)\}/g;

/** A literal, or one with references to names of other resources of the stack. */
function textOf(document: JsonObject, value: Json, depth: number): string | null {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") return null;
  let isKnown = true;
  const text = value.replaceAll(REFERENCE, (_, type: string, name: string, attribute: string) => {
    const told = referenceOf(document, { type, name, attribute }, depth);
    if (told === null) isKnown = false;
    return told ?? "";
  });
  return isKnown && !text.includes("${") ? text : null;
}

/** What is written there, else the key of that resource: its id and its ARN end with it. */
function referenceOf(
  document: JsonObject,
  { type, name, attribute }: { type: string; name: string; attribute: string },
  depth: number,
): string | null {
  const body = valueAt(document, ["resource", type, name]);
  if (!isJsonObject(body) || depth > DEPTH_MAX) return null;
  const written = body[attribute];
  if (written !== undefined) return textOf(document, written, depth + 1);
  return ["id", "arn"].includes(attribute) ? keyOf(document, type, body, depth + 1) : null;
}
