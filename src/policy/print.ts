/** Values → policy text that the parser reads back as exactly these values: block style, quotes only where needed. */
import { expectedPath } from "./files.js";
import { isFields } from "./layout.js";
import { parsePolicyText } from "./parse.js";
import { type RawSet, SECTIONS } from "./schema.js";
import type { SourceFile } from "./source.js";
import { type Scalar, toValue } from "./tree.js";

/** One file a section, alerts in `alerts/all.yaml`: as `loadRawSet` reads them, comments left behind. */
export function printPolicies(raw: RawSet, system: string): SourceFile[] {
  return SECTIONS.filter((section) => raw[section] !== undefined).map((section) => {
    const path = expectedPath(section, system);
    return { path: path.endsWith("/") ? `${path}all.yaml` : path, text: printFile(raw[section]) };
  });
}

/** A whole file. Throws for a value that is no map, or that JSON does not know. */
export function printFile(value: unknown): string {
  if (!isFields(value)) throw new TypeError("a policy file holds keys and values");
  return Object.keys(value).length === 0 ? "{}\n" : `${printMap(value, "").join("\n")}\n`;
}

function printMap(map: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(map)
    .filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => printEntry(`${indent}${printKey(key, false)}:`, value, indent));
}

function printEntry(head: string, value: unknown, indent: string): string[] {
  if (isFields(value) && Object.keys(value).length > 0)
    return [head, ...printMap(value, `${indent}  `)];
  if (Array.isArray(value) && value.length > 0 && value.every(isFilled))
    return [head, ...value.flatMap((item) => printItem(item, `${indent}  `))];
  return [`${head} ${printInline(value, false)}`];
}

function isFilled(value: unknown): value is Readonly<Record<string, unknown>> {
  return isFields(value) && Object.keys(value).length > 0;
}

/** The first key of a map in a list stands beside the dash. */
function printItem(item: Readonly<Record<string, unknown>>, indent: string): string[] {
  const lines = printMap(item, `${indent}  `);
  return [`${indent}- ${lines[0]!.trimStart()}`, ...lines.slice(1)];
}

function printInline(value: unknown, flow: boolean): string {
  if (Array.isArray(value)) return `[${value.map((item) => printInline(item, true)).join(", ")}]`;
  if (!isFields(value)) return printScalar(value as Scalar, flow);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  const parts = entries.map(
    ([key, inner]) => `${printKey(key, true)}: ${printInline(inner, true)}`,
  );
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

/** @param flow whether it stands between brackets or braces, where commas and brackets end a plain text. */
export function printScalar(value: Scalar, flow: boolean): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value !== "string") return String(value);
  return readsAs(value, flow ? ["k: [", "]"] : ["k: ", ""], flow ? { k: [value] } : { k: value })
    ? value
    : quoted(value);
}

export function printKey(key: string, flow: boolean): string {
  const frame = flow ? (["k: { ", ": 0 }"] as const) : (["", ": 0"] as const);
  return readsAs(key, frame, flow ? { k: { [key]: 0 } } : { [key]: 0 }) ? key : quoted(key);
}

/** Words, names and durations, of which nearly all texts are made. */
const CERTAIN =
  /^(?!(?:true|false|null)$)(?:[A-Za-z][\w/-]*(?:\.[\w/-]+)*|(?:\d+(?:ms|[smhdw]))+)$/;

/** Asks the parser: no list of characters is as right. */
function readsAs(
  text: string,
  [before, after]: readonly [string, string],
  expected: object,
): boolean {
  if (CERTAIN.test(text)) return true;
  if (text === "" || /[\p{Cc}\uFEFF\uFFFD-\uFFFF\u2028\u2029]/u.test(text)) return false;
  const { root, problems } = parsePolicyText({ path: "print", text: before + text + after });
  return problems.length === 0 && root !== null && isEqualJson(toValue(root), expected);
}

function isEqualJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Double quotes: JSON's escapes are YAML's, and what no terminal shows is escaped too. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cc}\uFEFF\uFFFD-\uFFFF\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
