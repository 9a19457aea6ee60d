/**
 * backfill (HB-wrk-11): asks for the score of each repository on each day of a range, as child jobs with
 * this one as their parent. Days that have a score are left out, so that an interrupted or
 * repeated backfill only asks for what is missing.
 */
import { type Fault, fault } from "../../base/fault.js";
import type { JobContext, JobHandler } from "../../job/port.js";
import { readFirstCommitTimes } from "../../store/claims.js";
import type { Database } from "../../store/database.js";
import { enqueueJobs, type NewJob } from "../../store/jobs.js";
import { type LocalRepo, listLocalRepos } from "../../store/repos.js";
import { listScoredDays } from "../../store/scores.js";
import { daysOf, isRealDay, utcDay } from "../day.js";
import { pastScoreJob } from "../follow-up.js";
import type { BackfillPayload } from "../payloads.js";
import { SCORE_FORMULA } from "../score-formula.js";

/** Children in one statement. */
const BATCH_JOBS = 1_000;
/** A year of 270 repositories; more is asked for in parts, so that the queue stays readable. */
const CHILDREN_MAX = 100_000;
const PAGE_ROWS = 500;

export function createBackfillHandler(deps: { readonly db: Database }): JobHandler {
  return {
    kind: "backfill",
    run: async (context) => {
      const { start_date, end_date } = context.job.payload as BackfillPayload;
      const days = checkedDays(start_date, end_date, utcDay(context.now()));
      const missing = await findMissing(deps.db, days, context);
      const enqueued = await enqueueInBatches(deps.db, missing, context);
      return { days: days.length, children: missing.length, enqueued };
    },
  };
}

function checkedDays(first: string, last: string, today: string): string[] {
  for (const day of [first, last])
    if (!isRealDay(day)) throw badRange(`found "${day}", which is not a day of the calendar`);
  if (first > last) throw badRange(`found start_date ${first} after end_date ${last}`);
  if (last > today) throw badRange(`found end_date ${last}, which is after today, ${today} (UTC)`);
  return daysOf(first, last);
}

function badRange(message: string): Fault {
  return fault.data("BACKFILL_RANGE_INVALID", message, {
    hint: "give start_date and end_date as yyyy-mm-dd, the first not after the second",
  });
}

async function findMissing(
  db: Database,
  days: readonly string[],
  { job, signal }: JobContext,
): Promise<NewJob[]> {
  const [firstDay = "", lastDay = ""] = [days[0], days.at(-1)];
  const scored = await listScoredDays(db, { formula: SCORE_FORMULA, firstDay, lastDay });
  const firstTimes = await readFirstCommitTimes(db);
  const missing: NewJob[] = [];
  for await (const repo of allLocalRepos(db)) {
    signal.throwIfAborted();
    const bornOn = firstTimes.get(repo.id);
    for (const day of days) {
      if (bornOn && day < utcDay(bornOn)) continue;
      if (!scored.has(`${repo.id} ${day}`)) missing.push(pastScoreJob(repo.id, day, job));
    }
    if (missing.length > CHILDREN_MAX)
      throw badRange(`the range needs more than ${CHILDREN_MAX} jobs; ask for it in shorter parts`);
  }
  return missing;
}

async function* allLocalRepos(db: Database): AsyncGenerator<LocalRepo> {
  for (let afterId = ""; ; ) {
    const page = await listLocalRepos(db, { afterId, limit: PAGE_ROWS });
    yield* page;
    if (page.length < PAGE_ROWS) return;
    afterId = page.at(-1)?.id ?? "";
  }
}

async function enqueueInBatches(
  db: Database,
  jobs: readonly NewJob[],
  context: JobContext,
): Promise<number> {
  let created = 0;
  for (let at = 0; at < jobs.length; at += BATCH_JOBS) {
    context.signal.throwIfAborted();
    const answers = await enqueueJobs(db, jobs.slice(at, at + BATCH_JOBS));
    created += answers.filter((answer) => answer.created).length;
    const asked = at + answers.length;
    context.progress(asked / jobs.length, `asked for ${asked} of ${jobs.length} scores`);
  }
  return created;
}
