/** Which days of which repositories have no score yet, in the order of repository and day, page by page. */
import { DAY_MS } from "../base/duration.js";
import { type FillableRepo, listFillableRepos } from "../store/backfills.js";
import type { Sql } from "../store/database.js";
import { listScoredDays } from "../store/scores.js";
import { daysOf } from "./day.js";

export interface MissingScope {
  readonly firstDay: string;
  readonly lastDay: string;
  /** Name of the formula: scores by another do not count. */
  readonly formula: string;
  /** Null: all repositories. */
  readonly repoIds: readonly string[] | null;
  readonly forks: boolean;
}

export interface RepoDay {
  readonly repoId: string;
  readonly day: string;
}

const PAGE_REPOS = 10;

/** The next ones after a place, at most `limit`; fewer: there are no more. */
export async function nextMissing(
  sql: Sql,
  scope: MissingScope,
  after: { readonly atRepo: string; readonly atDay: string | null },
  limit: number,
): Promise<RepoDay[]> {
  const missing: RepoDay[] = [];
  for await (const { repo, scored } of fillableFrom(sql, scope, after.atRepo)) {
    const isDone = (day: string) =>
      repo.id === after.atRepo && after.atDay !== null && day <= after.atDay;
    for (const day of daysOf(firstDayOf(repo, scope), scope.lastDay)) {
      if (scored.has(day) || isDone(day)) continue;
      missing.push({ repoId: repo.id, day });
      if (missing.length === limit) return missing;
    }
  }
  return missing;
}

export async function countMissing(
  sql: Sql,
  scope: MissingScope,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for await (const { repo, scored } of fillableFrom(sql, scope, "")) {
    signal.throwIfAborted();
    const firstDay = firstDayOf(repo, scope);
    const days = (Date.parse(scope.lastDay) - Date.parse(firstDay)) / DAY_MS + 1;
    const done = [...scored].filter((day) => day >= firstDay).length;
    count += Math.max(0, days - done);
  }
  return count;
}

/** Nothing can be said of days before the first commit. */
function firstDayOf({ bornOn }: FillableRepo, { firstDay }: MissingScope): string {
  return bornOn !== null && bornOn > firstDay ? bornOn : firstDay;
}

const NONE: ReadonlySet<string> = new Set();

async function* fillableFrom(sql: Sql, scope: MissingScope, id: string) {
  for (let from = { fromId: id, isIncluded: true }; ; ) {
    const repos = await listFillableRepos(sql, { ...scope, ...from, limit: PAGE_REPOS });
    const scored = await listScoredDays(sql, { ...scope, repoIds: repos.map((repo) => repo.id) });
    for (const repo of repos) yield { repo, scored: scored.get(repo.id) ?? NONE };
    if (repos.length < PAGE_REPOS) return;
    from = { fromId: repos.at(-1)?.id ?? "", isIncluded: false };
  }
}
