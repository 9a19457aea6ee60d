/** Findings of a schema → problems at the offending key or value, in words: found X, expected Y. */

import type { TSchema } from "typebox";
import { formatDuration, parseDuration } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { type CompiledSchema, compileSchema, type SchemaFinding } from "../../base/schema.js";
import { didYouMean } from "../../base/similar.js";
import { PATTERNS } from "../schema/form.js";
import { type Node, type Place, problemAt, type ScalarNode, toValue } from "../tree.js";

/** Putting thousands of findings into words takes seconds, and nobody reads them. */
const FINDINGS_MAX = 200;

/** As JSON Schema, the only form in which every schema can be walked alike. */
interface SchemaView {
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaView>>;
  readonly patternProperties?: Readonly<Record<string, SchemaView>>;
  readonly items?: SchemaView;
}

interface Spot {
  readonly node: Node;
  /** Where its key stands, or the node itself when it has none. */
  readonly key: Place;
  readonly schema: SchemaView;
}

const compiled = new WeakMap<TSchema, CompiledSchema<unknown>>();

function compileOnce(schema: TSchema): CompiledSchema<unknown> {
  const known = compiled.get(schema) ?? compileSchema(schema);
  compiled.set(schema, known);
  return known;
}

/** The places where the tree does not have the shape of the schema, the first 200 of them. */
export function checkShape(root: Node, schema: TSchema): Problem[] {
  const findings = compileOnce(schema).check(toValue(root)).slice(0, FINDINGS_MAX);
  return findings.flatMap((finding) => {
    const spot = locate(root, schema as SchemaView, finding.pointer);
    return spot.node.kind === "scalar" && spot.node.refused ? [] : [toProblem(spot, finding)];
  });
}

function locate(root: Node, rootSchema: SchemaView, pointer: string): Spot {
  let spot: Spot = { node: root, key: root.place, schema: rootSchema };
  for (const step of pointer.split("/").slice(1)) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    spot = stepInto(spot, name);
  }
  return spot;
}

function stepInto({ node, schema, key }: Spot, name: string): Spot {
  if (node.kind === "list") {
    const item = node.items[Number(name)]!;
    return { node: item, key: item.place, schema: schema.items ?? {} };
  }
  const entry = node.kind === "map" ? node.entries.get(name) : undefined;
  const below = schema.properties?.[name] ?? Object.values(schema.patternProperties ?? {})[0] ?? {};
  return { node: entry?.node ?? node, key: entry?.key ?? key, schema: below };
}

function toProblem(spot: Spot, finding: SchemaFinding): Problem {
  const { params, keyword } = finding;
  switch (keyword) {
    case "additionalProperties":
      return unknownKey(spot, String(params.additionalProperty));
    case "required":
      return problemAt(
        spot.key,
        `missing key "${String(params.missingProperty)}"${expectedOf(spot.schema.properties?.[String(params.missingProperty)])}`,
      );
    case "minProperties":
    case "maxProperties":
      return wrongCount(spot, finding);
    case "type":
      return wrongType(spot);
    case "pattern":
      return wrongText(spot, String(params.pattern));
    case "enum":
      return notOneOf(spot, params.allowedValues as readonly string[]);
    default:
      return problemAt(spot.node.place, `found ${show(spot.node)}, expected ${limitOf(finding)}`);
  }
}

function unknownKey({ node, schema }: Spot, name: string): Problem {
  const place = (node.kind === "map" ? node.entries.get(name)?.key : undefined) ?? node.place;
  const [pattern] = Object.keys(schema.patternProperties ?? {});
  if (pattern)
    return problemAt(place, `found the name "${name}", expected ${patternInWords(pattern)}`);
  const known = Object.keys(schema.properties ?? {});
  return problemAt(
    place,
    `unknown key "${name}"`,
    didYouMean(name, known) ?? `known keys: ${known.join(", ")}`,
  );
}

function wrongCount({ node, key, schema }: Spot, { params }: SchemaFinding): Problem {
  const known = Object.keys(schema.properties ?? {});
  const found = node.kind === "map" ? [...node.entries.keys()] : [];
  const shown = found.length === 0 ? "nothing" : found.join(" and ");
  const wanted =
    known.length === 0
      ? `at least ${String(params.limit)} entry`
      : `${"maxProperties" in schema ? "exactly" : "at least"} one of ${known.join(", ")}`;
  return problemAt(key, `found ${shown}, expected ${wanted}`);
}

function wrongType({ node, schema }: Spot): Problem {
  const types = [schema.type ?? []].flat();
  return problemAt(
    node.place,
    `found ${show(node)}, expected ${typesInWords(schema)}`,
    typeHint(node, types, schema.pattern),
  );
}

function typesInWords({ type, pattern }: SchemaView): string {
  const words = [type ?? []]
    .flat()
    .map((name) =>
      name === "string" && pattern ? patternInWords(pattern) : (TYPE_NAMES[name] ?? name),
    );
  return words.join(" or ");
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "keys and values",
};

function typeHint(
  node: Node,
  types: readonly string[],
  pattern: string | undefined,
): string | undefined {
  if (node.kind !== "scalar") return undefined;
  if (types.includes("number") || types.includes("integer")) return numberHint(node);
  if (types.includes("boolean")) return booleanHint(node.text);
  if (!types.includes("string") || node.value === null) return undefined;
  if (pattern === PATTERNS.duration) return `with a unit, such as ${node.text}s`;
  return pattern === undefined ? `write "${node.text}" with quotes` : undefined;
}

function numberHint({ quoted, text }: ScalarNode): string | undefined {
  return quoted && /^[-+]?[\d.]+$/.test(text) ? "remove the quotes" : percentHint(text);
}

/** YAML of old took these for true and false, and people still do. */
function booleanHint(text: string): string | undefined {
  if (/^(?:yes|on|true)$/i.test(text)) return "write true";
  return /^(?:no|off|false)$/i.test(text) ? "write false" : undefined;
}

/** `95%` is what people say; the policies say 0.95. */
function percentHint(text: string): string | undefined {
  const percent = /^([\d.]+)\s*%$/.exec(text)?.[1];
  return percent ? `write ${Number((Number(percent) / 100).toPrecision(12))}` : undefined;
}

function wrongText({ node, schema }: Spot, pattern: string): Problem {
  const message = `found ${show(node)}, expected ${typesInWords(schema)}`;
  if (node.kind !== "scalar" || pattern !== PATTERNS.duration)
    return problemAt(node.place, message);
  return problemAt(node.place, message, numberHint(node) ?? durationHint(node.text));
}

/** `5 mins` → `write 5m`. */
function durationHint(text: string): string | undefined {
  const match = /^(\d+)\s*(ms|milli|s|sec|m|min|h|hour|hr|d|day|w|week)[a-z]*$/i.exec(text.trim());
  if (!match) return undefined;
  const unit = match[2]!.toLowerCase().startsWith("mil") ? "ms" : match[2]!.toLowerCase();
  const ms = parseDuration(`${match[1]}${unit === "ms" ? unit : unit[0]}`);
  return ms === null ? undefined : `write ${formatDuration(ms)}`;
}

function notOneOf({ node }: Spot, allowed: readonly string[]): Problem {
  const wrong = node.kind === "scalar" ? node.text : "";
  return problemAt(
    node.place,
    `found ${show(node)}, expected one of ${allowed.join(", ")}`,
    severityHint(wrong, allowed) ?? didYouMean(wrong, allowed),
  );
}

/** The words of the handbook for the one scale. */
const SEVERITY_WORDS: Readonly<Record<string, string>> = {
  critical: "sev1",
  high: "sev2",
  medium: "sev3",
  warning: "sev3",
  low: "sev4",
};

function severityHint(wrong: string, allowed: readonly string[]): string | undefined {
  const severity = SEVERITY_WORDS[wrong.toLowerCase()];
  return severity && allowed.includes(severity) ? `write ${severity}` : undefined;
}

function limitOf({ keyword, params, message }: SchemaFinding): string {
  const limit = String(params.limit);
  switch (keyword) {
    case "minimum":
      return `at least ${limit}`;
    case "maximum":
      return `at most ${limit}`;
    case "exclusiveMinimum":
      return `more than ${limit}`;
    case "minItems":
      return `at least ${limit} entry`;
    case "minLength":
      return `at least ${limit} character${limit === "1" ? "" : "s"}`;
    case "maxLength":
      return `at most ${limit} characters`;
    case "uniqueItems":
      return `each entry once, but entries ${[params.i, params.j]
        .map((at) => Number(at) + 1)
        .sort()
        .join(" and ")} are equal`;
    default:
      return `what the schema says: ${message}`;
  }
}

const PATTERN_WORDS: Readonly<Record<string, string>> = {
  [PATTERNS.duration]: "a duration such as 90s, 5m or 1h30m",
  [PATTERNS.name]: "lower-case words joined by dashes, such as queue-depth-high",
  [PATTERNS.metric]: "a dotted metric name such as algobrain.jobs.pending",
  [PATTERNS.label]: "a label such as worker_type",
  [PATTERNS.levelId]: "an id such as AR-06",
  [PATTERNS.runbookId]: "an id such as RB-27",
  [PATTERNS.channel]: 'a channel such as "#algobrain-ops"',
  [PATTERNS.url]: "an https address",
  [PATTERNS.slackUser]: "TEAM/USER ids such as T01234567/U01234567",
  [PATTERNS.bucket]: "a bucket name of lower-case letters, digits and dashes",
  [PATTERNS.region]: "a region such as us-east-1",
  [PATTERNS.role]: "a role of lower-case letters and dashes, such as tech-lead",
  [PATTERNS.group]: "the name of a group",
  [PATTERNS.date]: "a day such as 2026-12-31",
  [PATTERNS.respondWithin]: "a duration such as 15m, or nextBusinessDay",
};

function patternInWords(pattern: string): string {
  return PATTERN_WORDS[pattern] ?? `text like ${pattern}`;
}

function expectedOf(schema: SchemaView | undefined): string {
  if (schema?.enum) return `, expected one of ${schema.enum.join(", ")}`;
  return schema?.type ? `, expected ${typesInWords(schema)}` : "";
}

/** What stands there, as written and short enough for one line. */
export function show(node: Node): string {
  if (node.kind === "list") return node.items.length === 0 ? "an empty list" : "a list";
  if (node.kind === "map") return "keys and values";
  if (node.value === null) return "nothing";
  const text = node.text.length > 60 ? `${node.text.slice(0, 59)}…` : node.text;
  return typeof node.value === "string" ? JSON.stringify(text) : text;
}
