/**
 * What one environment does differently, laid over the common files before anything is checked. Every
 * node keeps its own place, so a problem points into the file that says it.
 */
import type { Problem } from "../base/problem.js";
import { didYouMean } from "../base/similar.js";
import type { Section } from "./schema.js";
import { type Entry, type MapNode, type Node, type PolicyTree, problemAt } from "./tree.js";

/** What may differ between environments. Who may do what, what guards the policies, and the catalogues may not. */
export const OVERLAY_SECTIONS = [
  "alerts",
  "workers",
  "healing",
  "scaling",
  "retention",
  "schedules",
  "infrastructure",
  "routes",
  "flags",
  "cache",
  "monitoring",
  "workload",
  "silences",
] as const satisfies readonly Section[];

/**
 * Maps whose keys are names given by people (`*` any one step): an overlay changes them, it adds none. Silences may be
 * those of one environment alone.
 */
const NAME_MAPS = [
  ["alerts"],
  ["alerts", "*", "levels"],
  ["schedules"],
  ["scaling", "*", "policies"],
  ["routes", "receivers"],
  ["flags"],
];

export interface Overlaid {
  readonly tree: PolicyTree;
  readonly problems: readonly Problem[];
}

export function layOver(tree: PolicyTree, overlay: MapNode): Overlaid {
  const problems: Problem[] = [];
  const merged = new Map(tree);
  for (const section of OVERLAY_SECTIONS) {
    const base = tree.get(section);
    const change = overlay.entries.get(section);
    if (base && change) merged.set(section, merge(base, change.node, [section], problems));
  }
  return { tree: merged, problems };
}

/** Maps are merged key by key; lists and single values are replaced. */
function merge(base: Node, change: Node, path: readonly string[], problems: Problem[]): Node {
  if (base.kind !== "map" || change.kind !== "map") return change;
  const entries = new Map<string, Entry>(base.entries);
  for (const [name, entry] of change.entries) {
    const below = base.entries.get(name);
    if (below)
      entries.set(name, {
        key: entry.key,
        node: merge(below.node, entry.node, [...path, name], problems),
      });
    else if (isNameMap(path)) problems.push(unknownName(base, name, entry, path));
    else entries.set(name, entry);
  }
  return { kind: "map", place: base.place, entries };
}

function isNameMap(path: readonly string[]): boolean {
  return NAME_MAPS.some(
    (pattern) =>
      pattern.length === path.length &&
      pattern.every((step, at) => step === "*" || step === path[at]),
  );
}

function unknownName(base: MapNode, name: string, entry: Entry, path: readonly string[]): Problem {
  return problemAt(
    entry.key,
    `found "${name}", which the common policies do not have under ${path.join(".")}`,
    didYouMean(name, base.entries.keys()) ??
      "an environment changes what is there; it adds nothing",
  );
}
