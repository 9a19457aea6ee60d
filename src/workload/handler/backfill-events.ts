/**
 * backfill of events (HB-wrk-11): what GitHub's API still knows of pull requests and releases of a range of days. A
 * child job for each repository: a backfill of one repository reads it, any other asks for such children.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { SourceHost } from "../../job/source-port.js";
import { listSourcedRepos } from "../../store/backfills.js";
import type { Sql } from "../../store/database.js";
import type { NewJob } from "../../store/jobs.js";
import { type ChildPlan, type ChildrenDeps, runChildren } from "../backfill-children.js";
import type { DayRange } from "../day.js";
import { type Origin, PAST_PRIORITY } from "../follow-up.js";
import { readPastEvents } from "../past-events.js";

export interface EventBackfillDeps extends ChildrenDeps {
  /** Null: no access to GitHub is configured. */
  readonly source: SourceHost | null;
}

/** Throws `GITHUB_NOT_CONFIGURED` (refused), and what the children or the reading throw. */
export async function backfillEvents(
  deps: EventBackfillDeps,
  range: DayRange,
  context: JobContext,
): Promise<JsonObject> {
  const { db, source } = deps;
  if (source === null)
    throw fault.refused("GITHUB_NOT_CONFIGURED", "no access to GitHub is configured", {
      hint: "give the workers access to GitHub: nothing else knows of events that did not arrive",
    });
  const [only, ...others] = range.repoIds ?? [];
  return only !== undefined && others.length === 0
    ? readPastEvents({ db, source }, { ...range, repoId: only }, context)
    : runChildren(deps, planOf(deps, range, context), context);
}

function planOf({ db }: EventBackfillDeps, range: DayRange, { job }: JobContext): ChildPlan {
  const list = (sql: Sql, afterId: string, limit: number | null) =>
    listSourcedRepos(sql, { repoIds: range.repoIds, afterId, limit });
  return {
    begun: { entity: "events", ...range },
    kind: "backfill",
    count: async () => (await list(db, "", null)).length,
    next: async (sql, { atRepo }, limit) => {
      const ids = await list(sql, atRepo, limit);
      const last = ids.at(-1);
      if (last === undefined) return null;
      const children = ids.map((id) => childFor(id, range, job));
      return { children, atRepo: last, atDay: null };
    },
  };
}

function childFor(repoId: string, { firstDay, lastDay }: DayRange, origin: Origin): NewJob {
  const days = { start_date: firstDay, end_date: lastDay };
  return {
    kind: "backfill",
    payload: { entity: "events", ...days, repo_ids: [repoId] },
    uniqueKey: `backfill:events:${repoId}:${firstDay}:${lastDay}`,
    ...{ parentSeq: origin.seq, requestedBy: origin.id, priority: PAST_PRIORITY },
  };
}
