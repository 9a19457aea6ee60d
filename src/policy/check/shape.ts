/** What does not fit a schema → problems at the offending key or value, in words: found X, expected Y. */
import type { TSchema } from "typebox";
import { formatDuration, parseDuration } from "../../base/duration.js";
import type { Problem } from "../../base/problem.js";
import { didYouMean } from "../../base/similar.js";
import { PATTERNS } from "../schema/form.js";
import { type Node, problemAt, type ScalarNode } from "../tree.js";
import { findMisfits, type Misfit, type Schema, type Spot } from "./fit.js";

/** Putting thousands of findings into words takes seconds, and nobody reads them. */
const FINDINGS_MAX = 200;

/** The places where the tree does not have the shape of the schema, the first 200 of them. */
export function checkShape(root: Node, schema: TSchema): Problem[] {
  // The types of the schema are the compiler's; its words are those of `Schema`.
  return findMisfits(root, schema as Schema, FINDINGS_MAX)
    .filter(({ node }) => node.kind !== "scalar" || !node.refused)
    .map(toProblem);
}

function toProblem(misfit: Misfit): Problem {
  switch (misfit.word) {
    case "additionalProperties":
      return unknownKey(misfit, misfit.name);
    case "required":
      return problemAt(
        misfit.key,
        `missing key "${misfit.name}"${expectedOf(misfit.schema.properties?.[misfit.name])}`,
      );
    case "minProperties":
    case "maxProperties":
      return wrongCount(misfit);
    case "type":
      return wrongType(misfit);
    case "pattern":
      return wrongText(misfit);
    case "enum":
      return notOneOf(misfit);
    default:
      return problemAt(
        misfit.node.place,
        `found ${show(misfit.node)}, expected ${limitOf(misfit)}`,
      );
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

function wrongCount({ node, key, schema }: Spot): Problem {
  const known = Object.keys(schema.properties ?? {});
  const found = node.kind === "map" ? [...node.entries.keys()] : [];
  const shown = found.length === 0 ? "nothing" : found.join(" and ");
  const wanted =
    known.length === 0
      ? `at least ${schema.minProperties} entry`
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

function typesInWords({ type, pattern }: Schema): string {
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

function wrongText({ node, schema }: Spot): Problem {
  const message = `found ${show(node)}, expected ${typesInWords(schema)}`;
  if (node.kind === "scalar" && schema.pattern === PATTERNS.bytes)
    return problemAt(node.place, message, bytesHint(node.text));
  if (node.kind !== "scalar" || schema.pattern !== PATTERNS.duration)
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

/** `20 GB` → `write 20GiB`: one kind of unit, so that nobody has to ask which was meant. */
function bytesHint(text: string): string | undefined {
  const match = /^(\d+)\s*([kmg])i?b?$/i.exec(text.trim());
  return match ? `write ${match[1]}${match[2]!.toUpperCase()}iB` : undefined;
}

function notOneOf({ node, schema: { enum: values = [] } }: Spot): Problem {
  const allowed = values.map(String);
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

type OfLimit = Extract<Misfit, { word: `m${string}Length` | `${string}imum` | `${string}Items` }>;

function limitOf(misfit: OfLimit): string {
  const { schema } = misfit;
  switch (misfit.word) {
    case "minimum":
      return `at least ${schema.minimum}`;
    case "maximum":
      return `at most ${schema.maximum}`;
    case "exclusiveMinimum":
      return `more than ${schema.exclusiveMinimum}`;
    case "minItems":
      return `at least ${schema.minItems} entry`;
    case "minLength":
      return `at least ${schema.minLength} character${schema.minLength === 1 ? "" : "s"}`;
    case "maxLength":
      return `at most ${schema.maxLength} characters`;
    case "uniqueItems":
      return `each entry once, but entries ${misfit.twins.map((at) => at + 1).join(" and ")} are equal`;
  }
}

const PATTERN_WORDS: Readonly<Record<string, string>> = {
  [PATTERNS.bytes]: "a size such as 512MiB or 2GiB",
  [PATTERNS.duration]: "a duration such as 90s, 5m or 1h30m",
  [PATTERNS.path]: "a path on the host of the API, such as /health",
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
  [PATTERNS.moment]: "a moment in UTC such as 2026-12-01T02:00:00Z",
  [PATTERNS.email]: "an address such as ops@example.com",
  [PATTERNS.handle]: "a handle such as @slack-ops",
  [PATTERNS.account]: 'the 12 digits of an account in quotes, such as "123456789012"',
  [PATTERNS.cidr]: "a network of /16 to /20, such as 10.40.0.0/16",
  [PATTERNS.host]: "a host such as api.example.com",
  [PATTERNS.certificate]: "the ARN of a certificate of ACM",
  [PATTERNS.functionArn]: "the ARN of a Lambda function",
  [PATTERNS.version]: 'a version in quotes, such as "15.10"',
  [PATTERNS.databaseClass]: "a class such as db.r6g.large",
  [PATTERNS.cacheClass]: "a node type such as cache.t4g.small",
  [PATTERNS.databaseName]: "a name of lower-case letters, digits and _",
  [PATTERNS.repo]: "owner/name of a repository at GitHub",
  [PATTERNS.publicKey]: "a raw Ed25519 public key: 32 bytes in base64",
  [PATTERNS.digits]: "a number in quotes",
  [PATTERNS.resourceType]: "a type of Terraform such as aws_ecs_service",
  [PATTERNS.address]: "an address such as aws_s3_bucket.exports, or aws_s3_bucket.*",
  [PATTERNS.respondWithin]: "a duration such as 15m, or nextBusinessDay",
};

function patternInWords(pattern: string): string {
  return PATTERN_WORDS[pattern] ?? `text like ${pattern}`;
}

function expectedOf(schema: Schema | undefined): string {
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
