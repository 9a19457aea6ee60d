/** The same change in several environments is said once. */
import { canonicalJson } from "../base/json.js";
import type { Change } from "./change.js";
import { byRisk } from "./risk.js";

export interface ChangeGroup {
  /** `every environment`, `production`, `local and staging`. */
  readonly title: string;
  readonly environments: readonly string[];
  /** Worst first, at least one. */
  readonly changes: readonly Change[];
}

/** Groups with more environments first. Empty when nothing changed anywhere. */
export function groupByEnvironment(
  changesOf: ReadonlyMap<string, readonly Change[]>,
): ChangeGroup[] {
  const places = new Map<string, { change: Change; environments: string[] }>();
  for (const [environment, changes] of changesOf)
    for (const change of changes) {
      const key = canonicalJson(change);
      const known = places.get(key) ?? { change, environments: [] };
      known.environments.push(environment);
      places.set(key, known);
    }
  const groups = new Map<string, { environments: string[]; changes: Change[] }>();
  for (const { change, environments } of places.values()) {
    const key = environments.join(" ");
    const group = groups.get(key) ?? { environments, changes: [] };
    group.changes.push(change);
    groups.set(key, group);
  }
  return [...groups.values()]
    .sort((a, b) => b.environments.length - a.environments.length)
    .map(({ environments, changes }) => ({
      title: titleOf(environments, changesOf.size),
      environments,
      changes: byRisk(changes),
    }));
}

function titleOf(environments: readonly string[], all: number): string {
  return environments.length === all && all > 1 ? "every environment" : environments.join(" and ");
}
