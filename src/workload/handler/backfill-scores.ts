/**
 * backfill of scores (HB-wrk-11): a child job for each repository and day of a range that has no score. Days
 * that have one are left out, so that a repeated backfill only asks for what is missing.
 */
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import { type ChildPlan, type ChildrenDeps, runChildren } from "../backfill-children.js";
import type { DayRange } from "../day.js";
import { pastScoreJob } from "../follow-up.js";
import { countMissing, type MissingScope, nextMissing } from "../missing-days.js";
import { formulaName } from "../score-formula.js";

export async function backfillScores(
  deps: ChildrenDeps,
  range: DayRange,
  context: JobContext,
): Promise<JsonObject> {
  const { job, signal } = context;
  const plan: ChildPlan = {
    begun: { entity: "scores", ...range },
    kind: "score",
    count: () => countMissing(deps.db, scopeOf(deps, range), signal),
    next: async (sql, after, limit) => {
      const missing = await nextMissing(sql, scopeOf(deps, range), after, limit);
      const last = missing.at(-1);
      if (last === undefined) return null;
      const children = missing.map(({ repoId, day }) => pastScoreJob(repoId, day, job));
      return { children, atRepo: last.repoId, atDay: last.day };
    },
  };
  return runChildren(deps, plan, context);
}

/** By the policy in force: the rest of a range that another came in between is asked for by that one. */
function scopeOf({ policy }: ChildrenDeps, range: DayRange): MissingScope {
  const { scoring, repositories } = policy();
  return { ...range, formula: formulaName(scoring), forks: repositories.indexForks };
}
