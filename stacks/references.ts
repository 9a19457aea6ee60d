/**
 * Follows every `${…}` of synthesized Terraform JSON: is it closed, does its target exist, has the
 * target that attribute, do resources wait for each other in a circle? Offline, Terraform reports none
 * of these (gitops-iac.md A3). It reads traversals, not the whole expression language: loop variables
 * of `for` expressions are not known to it, and stacks/ uses none.
 */
import { isJsonObject, type Json, type JsonObject } from "../src/base/json.js";
import { didYouMean } from "../src/base/similar.js";
import { type BlockSchema, dataSchema, type ProviderSchema } from "./provider-schema.js";
import { elementsOf, type StackFinding } from "./schema-check.js";

/** Roots that Terraform itself defines and that need no declaration. */
const BUILT_IN = new Set(["count", "each", "path", "self", "terraform"]);
const SECTIONS = ["provider", "resource", "data", "output", "locals", "variable"] as const;
const TRAVERSAL = /(?<![\w.-])[A-Za-z_][\w-]*(?:\[[^\]]*\]|\.[\w*-]+)+/g;

interface Declared {
  /** `aws_sns_topic.alarms`, `data.aws_x.y`, `var.z`, `local.n`. */
  readonly addresses: ReadonlySet<string>;
  readonly schema: ProviderSchema;
}

/** All findings about references in one `cdk.tf.json`. */
export function checkReferences(document: JsonObject, schema: ProviderSchema): StackFinding[] {
  const declared = { addresses: declarations(document), schema };
  const findings: StackFinding[] = [];
  for (const { at, text } of SECTIONS.flatMap((key) => textsOf(document[key], key))) {
    const { expressions, closed } = expressionsOf(text);
    if (!closed)
      findings.push({ at, message: 'has an expression that begins with "${" and never ends' });
    for (const traversal of expressions.flatMap(traversalsOf))
      findings.push(...checkTraversal(traversal, declared, at));
  }
  findings.push(...checkDependsOn(document, declared));
  return [...findings, ...checkCycles(document, declared.addresses)];
}

function declarations(document: JsonObject): Set<string> {
  const named = (key: string) => Object.keys(isJsonObject(document[key]) ? document[key] : {});
  return new Set([
    ...elementsOf(document, "resource").map(({ type, name }) => `${type}.${name}`),
    ...elementsOf(document, "data").map(({ type, name }) => `data.${type}.${name}`),
    ...named("variable").map((name) => `var.${name}`),
    ...named("locals").map((name) => `local.${name}`),
  ]);
}

/** Every `a.b.c` that the expressions of a document refer to, with the place where it stands. */
export function referencesIn(document: JsonObject): { at: string; parts: string[] }[] {
  return SECTIONS.flatMap((key) => textsOf(document[key], key)).flatMap(({ at, text }) =>
    expressionsOf(text)
      .expressions.flatMap(traversalsOf)
      .map((traversal) => ({ at, parts: partsOf(traversal) })),
  );
}

function textsOf(value: Json | undefined, at: string): { at: string; text: string }[] {
  if (typeof value === "string") return [{ at, text: value }];
  if (Array.isArray(value)) return value.flatMap((item, i) => textsOf(item, `${at}[${i}]`));
  if (!isJsonObject(value)) return [];
  return Object.entries(value)
    .filter(([key]) => key !== "//")
    .flatMap(([key, item]) => textsOf(item, `${at}.${key}`));
}

/** The insides of all `${…}`; `$${` is a plain dollar sign. */
function expressionsOf(text: string): { expressions: string[]; closed: boolean } {
  const expressions: string[] = [];
  let from = text.indexOf("${");
  while (from !== -1) {
    if (text[from - 1] === "$") {
      from = text.indexOf("${", from + 2);
      continue;
    }
    const end = endOfExpression(text, from + 2);
    if (end === -1) return { expressions, closed: false };
    expressions.push(text.slice(from + 2, end));
    from = text.indexOf("${", end);
  }
  return { expressions, closed: true };
}

/** Position of the brace that closes an expression; braces within quotes do not count. */
function endOfExpression(text: string, from: number): number {
  let depth = 1;
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === "{") depth++;
    else if (!quoted && char === "}" && --depth === 0) return i;
  }
  return -1;
}

function traversalsOf(expression: string): string[] {
  // A quoted text is no reference, unless it interpolates one.
  const code = expression.replace(/"(?:\\.|[^"\\])*"/g, (text) =>
    text.includes("${") ? text : '""',
  );
  return [...code.matchAll(TRAVERSAL)].map(([traversal]) => traversal);
}

/** `a.b[0].c` as a, b, c. */
function partsOf(traversal: string): string[] {
  return traversal.replace(/\[[^\]]*\]/g, "").split(".");
}

function checkTraversal(traversal: string, declared: Declared, at: string): StackFinding[] {
  const parts = partsOf(traversal);
  if (BUILT_IN.has(parts[0]!)) return [];
  const address = addressOf(parts);
  if (!declared.addresses.has(address)) {
    const hint = didYouMean(address, declared.addresses);
    return [
      { at, message: `refers to ${address}, which is not declared${hint ? ` (${hint})` : ""}` },
    ];
  }
  const block = blockOf(parts, declared.schema);
  const attribute = parts[address.split(".").length];
  if (block === undefined || attribute === undefined || attribute === "*") return [];
  const known = Object.keys({ ...block.attributes, ...block.block_types });
  if (known.includes(attribute)) return [];
  const hint = didYouMean(attribute, known);
  return [
    {
      at,
      message: `refers to "${attribute}", which ${address} does not have${hint ? ` (${hint})` : ""}`,
    },
  ];
}

function addressOf(parts: readonly string[]): string {
  return parts.slice(0, parts[0] === "data" ? 3 : 2).join(".");
}

function blockOf(parts: readonly string[], schema: ProviderSchema): BlockSchema | undefined {
  return parts[0] === "data"
    ? dataSchema(schema, parts[1]!)
    : schema.resource_schemas[parts[0]!]?.block;
}

function checkDependsOn(document: JsonObject, { addresses }: Declared): StackFinding[] {
  return elementsOf(document, "resource").flatMap(({ at, body }) =>
    dependsOn(body)
      .filter((target) => !addresses.has(target))
      .map((target) => ({
        at: `${at}.depends_on`,
        message: `names ${target}, which is not declared`,
      })),
  );
}

function dependsOn(body: JsonObject): string[] {
  const targets = Array.isArray(body.depends_on) ? body.depends_on : [];
  return targets.filter((target) => typeof target === "string");
}

/** One finding a circle, told at the element where it was entered. */
function checkCycles(document: JsonObject, addresses: ReadonlySet<string>): StackFinding[] {
  const needs = dependencies(document, addresses);
  const done = new Set<string>();
  const findings: StackFinding[] = [];
  const visit = (address: string, path: readonly string[]): void => {
    const entered = path.indexOf(address);
    if (entered !== -1) {
      const circle = [...path.slice(entered), address].join(" → ");
      findings.push({ at: `resource.${address}`, message: `waits for itself: ${circle}` });
      return;
    }
    if (done.has(address)) return;
    for (const next of needs.get(address) ?? []) visit(next, [...path, address]);
    done.add(address);
  };
  for (const address of needs.keys()) visit(address, []);
  return findings;
}

function dependencies(document: JsonObject, addresses: ReadonlySet<string>) {
  const needs = new Map<string, Set<string>>();
  for (const { at, type, name, body } of elementsOf(document, "resource")) {
    const referred = textsOf(body, at)
      .flatMap(({ text }) => expressionsOf(text).expressions.flatMap(traversalsOf))
      .map((traversal) => addressOf(partsOf(traversal)));
    const targets = [...referred, ...dependsOn(body)].filter((target) => addresses.has(target));
    needs.set(`${type}.${name}`, new Set(targets));
  }
  return needs;
}
