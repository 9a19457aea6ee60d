/** What the formulas of scores need of a history: one pass, and memory that grows with people, not with commits. */
import { DAY_MS } from "../base/duration.js";
import type { CommitRecord } from "../job/port.js";
import { isBot, personKey } from "./person.js";

/** What is older says nothing of today. */
export const SCORE_WINDOW_DAYS = 365;
export const ACTIVITY_DAYS = 90;
export const ACTIVITY_WEEKS = 13;

export interface HistoryFacts {
  readonly commits90d: number;
  /** Of the last 13 weeks, how many had a commit. */
  readonly activeWeeks: number;
  /** Never stored: only how many there are, and how the commits are spread. */
  readonly commitsByPerson: ReadonlyMap<string, number>;
  readonly newestAt: Date | null;
}

/** Merge commits, bots and whatever came after `asOf` count for nothing. */
export async function readHistoryFacts(
  commits: AsyncIterable<CommitRecord>,
  asOf: Date,
): Promise<HistoryFacts> {
  const weeks = new Set<number>();
  const commitsByPerson = new Map<string, number>();
  let commits90d = 0;
  let newestAt: Date | null = null;
  for await (const commit of commits) {
    const ageDays = (asOf.getTime() - commit.authoredAt.getTime()) / DAY_MS;
    if (ageDays < 0 || ageDays > SCORE_WINDOW_DAYS || commit.isMerge) continue;
    if (isBot(commit.authorName, commit.authorEmail)) continue;
    if (newestAt === null || commit.authoredAt > newestAt) newestAt = commit.authoredAt;
    const { id } = personKey(commit.authorName, commit.authorEmail);
    commitsByPerson.set(id, (commitsByPerson.get(id) ?? 0) + 1);
    if (ageDays <= ACTIVITY_DAYS) commits90d++;
    if (ageDays < ACTIVITY_WEEKS * 7) weeks.add(Math.floor(ageDays / 7));
  }
  return { commits90d, activeWeeks: weeks.size, commitsByPerson, newestAt };
}
