/**
 * How alive and how safe a repository is, as one number from 0 to 100 with its parts explained.
 * Formula `health-1`. Pure: the same history, tags and day give the same score on every machine.
 *
 * Time is the day `asOf` (its end, UTC): the `as_of` of the job's payload, else the day on which the job
 * was created. Never the wall clock, so a retry, or a backfill of last year, gives what the first run did.
 *
 * | part    | weight | 100 means                                            | facts                          |
 * |---------|--------|------------------------------------------------------|--------------------------------|
 * | activity | 0.35  | 128 commits or more, some in each of the last 13 weeks | commits90d, activeWeeks      |
 * | busFactor | 0.25 | 4 people or more made half of the last year's commits | busFactor, people365d          |
 * | freshness | 0.25 | a commit in the last 7 days; then halves each 90 days | daysSinceCommit                |
 * | release  | 0.15  | a tag in the last 30 days; then halves each 180 days  | daysSinceRelease, releases365d |
 *
 * People are told apart by mail. Merge commits and bots count for nothing: they say little about people. A history without a commit in
 * the last 365 days has 0 in the first three parts.
 */
import { DAY_MS } from "../base/duration.js";
import type { CommitRecord } from "../job/port.js";
import { isBot, personKey } from "./person.js";

export const SCORE_FORMULA = "health-1";
export const SCORE_WINDOW_DAYS = 365;
const WEIGHTS = { activity: 0.35, busFactor: 0.25, freshness: 0.25, release: 0.15 } as const;

const ACTIVITY_DAYS = 90;
const ACTIVITY_WEEKS = 13;
const ACTIVITY_COMMITS_FULL = 128;
const BUS_FACTOR_FULL = 4;
const FRESH_DAYS = 7;
const FRESH_HALVES_DAYS = 90;
const RELEASE_DAYS = 30;
const RELEASE_HALVES_DAYS = 180;

export interface ScorePart {
  /** 0 to 100. */
  readonly value: number;
  readonly weight: number;
  /** What the value was computed from; null where there is nothing. */
  readonly facts: Readonly<Record<string, number | null>>;
}

export interface Score {
  readonly formula: typeof SCORE_FORMULA;
  /** 0 to 100, one decimal. */
  readonly score: number;
  readonly parts: Readonly<Record<keyof typeof WEIGHTS, ScorePart>>;
}

/** What the formula needs of a history; grows with the number of people, not of commits. */
export interface HistoryFacts {
  readonly commits90d: number;
  /** Of the last 13 weeks, how many had a commit. */
  readonly activeWeeks: number;
  readonly commitsByPerson: ReadonlyMap<string, number>;
  readonly newestAt: Date | null;
}

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

export function computeScore(
  history: HistoryFacts,
  tags: readonly { readonly at: Date }[],
  asOf: Date,
): Score {
  const parts = {
    activity: activityPart(history),
    busFactor: busFactorPart(history.commitsByPerson),
    freshness: freshnessPart(history.newestAt, asOf),
    release: releasePart(tags, asOf),
  };
  const sum = Object.values(parts).reduce((total, part) => total + part.value * part.weight, 0);
  return { formula: SCORE_FORMULA, score: round(sum), parts };
}

function activityPart({ commits90d, activeWeeks }: HistoryFacts): ScorePart {
  // Logarithmic: the tenth commit says more than the hundredth.
  const volume = Math.min(1, Math.log2(1 + commits90d) / Math.log2(1 + ACTIVITY_COMMITS_FULL));
  const rhythm = activeWeeks / ACTIVITY_WEEKS;
  return {
    value: round(50 * volume + 50 * rhythm),
    weight: WEIGHTS.activity,
    facts: { commits90d, activeWeeks },
  };
}

function busFactorPart(commitsByPerson: ReadonlyMap<string, number>): ScorePart {
  const counts = [...commitsByPerson.values()].sort((a, b) => b - a);
  const half = counts.reduce((total, count) => total + count, 0) / 2;
  let busFactor = 0;
  for (let covered = 0; covered < half; busFactor++) covered += counts[busFactor] ?? 0;
  return {
    value: round(100 * Math.min(1, busFactor / BUS_FACTOR_FULL)),
    weight: WEIGHTS.busFactor,
    facts: { busFactor, people365d: counts.length },
  };
}

function freshnessPart(newestAt: Date | null, asOf: Date): ScorePart {
  const days = newestAt === null ? null : daysBetween(newestAt, asOf);
  return {
    value: days === null ? 0 : fade(days, FRESH_DAYS, FRESH_HALVES_DAYS),
    weight: WEIGHTS.freshness,
    facts: { daysSinceCommit: days },
  };
}

function releasePart(tags: readonly { readonly at: Date }[], asOf: Date): ScorePart {
  const ages = tags.filter(({ at }) => at <= asOf).map(({ at }) => daysBetween(at, asOf));
  const newest = ages.length === 0 ? null : Math.min(...ages);
  return {
    value: newest === null ? 0 : fade(newest, RELEASE_DAYS, RELEASE_HALVES_DAYS),
    weight: WEIGHTS.release,
    facts: {
      daysSinceRelease: newest,
      releases365d: ages.filter((age) => age <= SCORE_WINDOW_DAYS).length,
    },
  };
}

function daysBetween(from: Date, to: Date): number {
  return Math.floor((to.getTime() - from.getTime()) / DAY_MS);
}

/** 100 up to `fullDays`, then half of it each `halvesDays`. */
function fade(days: number, fullDays: number, halvesDays: number): number {
  return round(100 * 2 ** (-Math.max(0, days - fullDays) / halvesDays));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
