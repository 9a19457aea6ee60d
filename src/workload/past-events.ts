/**
 * Reads what GitHub's API still knows of one repository and a range of days, page by page. A page and the place of
 * the next one are kept in one transaction, so that a rate limit or a crash costs one page.
 */
import { fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { JobContext } from "../job/port.js";
import type { ItemPage, SourceHost } from "../job/source-port.js";
import { type ApiEvent, addApiEvents } from "../store/api-events.js";
import {
  beginBackfill,
  finishBackfill,
  lockBackfill,
  moveBackfill,
  readBackfill,
} from "../store/backfills.js";
import type { Database, Sql } from "../store/database.js";
import { readRemainingShare } from "../store/github-budget.js";
import { findSource, type StoredSource } from "../store/repo-sources.js";
import { type ApiOrigin, pullEvents, releaseEvents } from "./api-event.js";
import { type DayRange, endOfDay } from "./day.js";
import { loadForgotten } from "./forgotten.js";

export interface PastEventsDeps {
  readonly db: Database;
  readonly source: SourceHost;
}

type RepoRange = DayRange & { readonly repoId: string };

/** Live work has this share of the hour's requests for itself. */
const BUDGET_LEFT_LEAST = 0.5;
const BUDGET_VISIT_MS = 60_000;

/** What is read, one after the other. */
const LISTS = ["pulls", "releases"] as const;
const ENDED = "ended";

/** Where a reading has come to, as a backfill keeps it: `releases 3`. */
type Reached = readonly [list: (typeof LISTS)[number], page: string | null];

/** Throws a waiting Fault `BACKFILL_BUDGET_LOW` while half of GitHub's budget is used, and what the source throws. */
export async function readPastEvents(
  { db, source }: PastEventsDeps,
  range: RepoRange,
  { job, signal }: JobContext,
): Promise<JsonObject> {
  const { repoId, firstDay, lastDay } = range;
  const repo = await findSource(db, repoId);
  if (repo === null || repo.goneAt !== null)
    return { skipped: "GitHub does not have the repository" };
  await beginBackfill(db, job.seq, { entity: "events", firstDay, lastDay, planned: 0 });
  for (;;) {
    signal.throwIfAborted();
    const { atRepo: place = "", enqueued = 0 } = (await readBackfill(db, job.seq)) ?? {};
    if (place === ENDED) return finish(db, job.seq, { repo_id: repoId, added: enqueued });
    await waitForBudget(db);
    const reached = parseReached(place);
    const page = await source[reached[0]](repo, { page: reached[1] }, signal);
    await keepPage(db, job.seq, {
      from: place,
      to: nextPlace(reached, page, firstDay),
      events: eventsOf(reached, page, repo, range),
    });
  }
}

async function finish(sql: Sql, jobSeq: number, result: JsonObject): Promise<JsonObject> {
  await finishBackfill(sql, jobSeq);
  return result;
}

async function waitForBudget(sql: Sql): Promise<void> {
  const left = await readRemainingShare(sql);
  if (left === null || left >= BUDGET_LEFT_LEAST) return;
  const percent = Math.floor(100 * left);
  throw fault.waiting(
    "BACKFILL_BUDGET_LOW",
    `${percent} % of GitHub's requests of this hour are left, and live work has the last half`,
    { retryAfterMs: BUDGET_VISIT_MS },
  );
}

function parseReached(place: string): Reached {
  const [list = "", ...page] = place.split(" ");
  return list === "releases" ? [list, page.join(" ") || null] : ["pulls", page.join(" ") || null];
}

function nextPlace([list]: Reached, { items, next }: ItemPage, firstDay: string): string {
  // Pull requests come by their last change: all that follow had their last before the range.
  const isPast = list === "pulls" && items.some(({ updated_at: at }) => isBefore(at, firstDay));
  if (next !== null && !isPast) return `${list} ${next}`;
  return LISTS[LISTS.indexOf(list) + 1] ?? ENDED;
}

/** ISO texts in UTC: their order is that of time. */
function isBefore(at: unknown, day: string): boolean {
  return typeof at === "string" && at < day;
}

function eventsOf(
  [list]: Reached,
  { items }: ItemPage,
  { host, githubId }: StoredSource,
  { repoId, firstDay, lastDay }: RepoRange,
): ApiEvent[] {
  const origin: ApiOrigin = { repoId, host, githubId };
  const toEvents = list === "pulls" ? pullEvents : releaseEvents;
  const [first, last] = [new Date(`${firstDay}T00:00:00Z`), endOfDay(lastDay)];
  return items
    .flatMap((item) => toEvents(item, origin))
    .filter(({ occurredAt }) => occurredAt >= first && occurredAt <= last);
}

interface KeptPage {
  /** Where the reading stood when the page was asked for. */
  readonly from: string;
  readonly to: string;
  readonly events: readonly ApiEvent[];
}

/** Of two that read the same page, the second leaves all as it is. */
async function keepPage(
  db: Database,
  jobSeq: number,
  { from, to, events }: KeptPage,
): Promise<void> {
  await db.transaction(async (tx) => {
    const { atRepo } = await lockBackfill(tx, jobSeq);
    if (atRepo !== from) return;
    const forgotten = await loadForgotten(tx);
    const kept = events.map((event) => ({ ...event, payload: forgotten.scrub(event.payload) }));
    const added = await addApiEvents(tx, kept);
    await moveBackfill(tx, jobSeq, { atRepo: to, atDay: null, enqueued: added });
  });
}
