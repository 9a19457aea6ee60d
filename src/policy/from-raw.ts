/**
 * A set that comes as JSON (a bundle, not files) goes through the same checks as files do, and is resolved anew: an
 * older bundle is understood with the defaults of today.
 */
import type { Checked, Problem } from "../base/problem.js";
import { deepFreeze } from "./bundle.js";
import { checkSections } from "./check/sections.js";
import { checkShape } from "./check/shape.js";
import { type PolicySet, SEVERITIES, type Severity } from "./policy.js";
import { resolvePolicySet } from "./resolve.js";
import { isOptional, type RawSet, SECTION_SCHEMAS, SECTIONS, type Section } from "./schema.js";
import {
  entriesOf,
  type MapNode,
  type Node,
  type Place,
  type Scalar,
  textOf,
  toValue,
} from "./tree.js";

/** Places are the paths inside the set: `bundle: alerts.queue-depth-high.levels`. */
export function loadFromRaw(raw: unknown, system: string, environment: string): Checked<PolicySet> {
  const root = toNode(raw, []);
  const tree = new Map<Section, Node>();
  const problems: Problem[] = [];
  for (const [name, entry] of entriesOf(root)) {
    const section = SECTIONS.find((known) => known === name);
    if (section === undefined) problems.push(problem([name], "is no section of a policy"));
    else tree.set(section, section === "alerts" ? orderLevels(entry.node) : entry.node);
  }
  for (const section of SECTIONS) {
    const node = tree.get(section);
    if (node !== undefined) problems.push(...checkShape(node, SECTION_SCHEMAS[section]));
    else if (!isOptional(section)) problems.push(problem([section], "is missing"));
  }
  // Cross-checks read leniently, but a section of another shape would only repeat its problems.
  if (problems.length === 0) problems.push(...checkSections(tree));
  if (problems.length > 0) return { ok: false, problems };
  const value = Object.fromEntries([...tree].map(([section, node]) => [section, toValue(node)]));
  return { ok: true, value: deepFreeze(resolvePolicySet(value as RawSet, system, environment)) };
}

function problem(path: readonly string[], message: string): Problem {
  return { ...placeOf(path), message, hint: undefined };
}

function placeOf(path: readonly string[]): Place {
  return { file: `bundle: ${path.join(".")}`, line: 0, column: 0 };
}

function toNode(value: unknown, path: readonly string[]): Node {
  const place = placeOf(path);
  if (Array.isArray(value)) {
    const items = value.map((item, at) => toNode(item, [...path, String(at)]));
    return { kind: "list", place, items };
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(
      ([key, inner]) =>
        [key, { key: placeOf([...path, key]), node: toNode(inner, [...path, key]) }] as const,
    );
    return { kind: "map", place, entries: new Map(entries) };
  }
  const scalar = value as Scalar;
  return {
    ...{ kind: "scalar", place, value: scalar, text: String(scalar) },
    ...{ quoted: false, refused: false },
  };
}

/** The order of levels means something, and JSON with sorted keys has lost it: from the mildest to the worst. */
function orderLevels(alerts: Node): Node {
  if (alerts.kind !== "map") return alerts;
  const entries = [...alerts.entries].map(([name, { key, node }]) => {
    const levels = node.kind === "map" ? node.entries.get("levels") : undefined;
    if (node.kind !== "map" || levels === undefined || levels.node.kind !== "map")
      return [name, { key, node }] as const;
    const ordered = new Map(node.entries).set("levels", { ...levels, node: sort(levels.node) });
    return [name, { key, node: { ...node, entries: ordered } }] as const;
  });
  return { ...alerts, entries: new Map(entries) };
}

function sort(levels: MapNode): MapNode {
  const rank = (node: Node) =>
    SEVERITIES.indexOf(
      (node.kind === "map" ? textOf(node.entries.get("severity")?.node) : undefined) as Severity,
    );
  const entries = [...levels.entries].sort(([, a], [, b]) => rank(b.node) - rank(a.node));
  return { ...levels, entries: new Map(entries) };
}
