/** backfill (HB-wrk-11): what is missing of a range of days, as far as the past can still be known. */
import { DAY_MS } from "../../base/duration.js";
import { type Fault, fault } from "../../base/fault.js";
import type { JobHandler } from "../../job/port.js";
import { listUnknownRepos } from "../../store/backfills.js";
import type { Sql } from "../../store/database.js";
import { type DayRange, isRealDay, utcDay } from "../day.js";
import type { BackfillPayload } from "../payloads.js";
import { backfillEvents, type EventBackfillDeps } from "./backfill-events.js";
import { backfillScores } from "./backfill-scores.js";

/** Ten years: a typing error in a year must not ask for a million days. */
const RANGE_DAYS_MAX = 3_660;

/** Throws data faults `BACKFILL_RANGE_INVALID` and `BACKFILL_REPOS_UNKNOWN`. */
export function createBackfillHandler(deps: EventBackfillDeps): JobHandler {
  return {
    kind: "backfill",
    run: async (context) => {
      const payload = context.job.payload as BackfillPayload;
      // Of the job, not of the clock: when it is looked at again tomorrow the range is still the same.
      const range = checkedRange(payload, utcDay(context.job.createdAt));
      await checkRepos(deps.db, range.repoIds ?? []);
      return payload.entity === "scores"
        ? backfillScores(deps, range, context)
        : backfillEvents(deps, range, context);
    },
  };
}

function checkedRange(payload: BackfillPayload, today: string): DayRange {
  const { start_date: first, end_date: last, repo_ids: repoIds = null } = payload;
  for (const day of [first, last])
    if (!isRealDay(day)) throw badRange(`found "${day}", which is not a day of the calendar`);
  if (first > last) throw badRange(`found start_date ${first} after end_date ${last}`);
  if (last > today) throw badRange(`found end_date ${last}, which is after today, ${today} (UTC)`);
  const days = (Date.parse(last) - Date.parse(first)) / DAY_MS + 1;
  if (days > RANGE_DAYS_MAX)
    throw badRange(`found ${days} days, expected ${RANGE_DAYS_MAX} at most: ask in shorter parts`);
  return { firstDay: first, lastDay: last, repoIds };
}

function badRange(message: string): Fault {
  return fault.data("BACKFILL_RANGE_INVALID", message, {
    hint: "give start_date and end_date as yyyy-mm-dd, the first not after the second",
  });
}

async function checkRepos(sql: Sql, repoIds: readonly string[]): Promise<void> {
  const unknown = await listUnknownRepos(sql, repoIds);
  if (unknown.length === 0) return;
  throw fault.data("BACKFILL_REPOS_UNKNOWN", `no repository has the id ${unknown.join(", ")}`, {
    hint: "correct repo_ids in the payload, or index what holds them first",
  });
}
