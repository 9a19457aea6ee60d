/** By how much more of what is paid for a plan asks, and where it leaves less than half. */
import { isReplaced, type PlannedChange } from "./plan-document.js";
import { numberOf } from "./shown-values.js";

/** Numbers of things that cost by the hour. A target or a cooldown is none. */
const PAID =
  /(^|\.)(max_capacity|min_capacity|desired_count|cpu|memory|num_cache_clusters|num_node_groups|replicas_per_node_group|read_capacity|write_capacity)$/;

export interface Growth<Change extends PlannedChange> {
  readonly change: Change;
  readonly path: string;
  /** 100 is twice as much, -100 nothing; Infinity: there was none. */
  readonly percent: number;
}

/** What exists and grows: a new resource is new, not more. */
export function capacityGrowth<Change extends PlannedChange>(
  changes: readonly Change[],
): Growth<Change>[] {
  return movements(changes).filter(({ percent }) => percent > 0);
}

/** Whoever takes away more than half may not have meant to. */
const SHRINKS_PERCENT = -50;

export function capacityShrinks<Change extends PlannedChange>(
  changes: readonly Change[],
): Growth<Change>[] {
  return movements(changes).filter(({ percent }) => percent < SHRINKS_PERCENT);
}

function movements<Change extends PlannedChange>(changes: readonly Change[]): Growth<Change>[] {
  return changes
    .filter((change) => change.actions.includes("update") || isReplaced(change))
    .flatMap((change) =>
      change.leaves
        .filter(({ path }) => PAID.test(path))
        .flatMap(({ path, before, after }) => {
          const [old, young] = [numberOf(before), numberOf(after)];
          if (old === null || young === null || young === old) return [];
          return [
            {
              change,
              path,
              percent: old <= 0 ? Number.POSITIVE_INFINITY : ((young - old) / old) * 100,
            },
          ];
        }),
    );
}
