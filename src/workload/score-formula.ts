/**
 * How alive and how safe a repository is, as one number from 0 to 100 with its parts explained. Pure: the same
 * history, tags, reviews, weights and day give the same score on every machine. docs/workers/score.md explains it.
 *
 * Time is the day `asOf` (its end, UTC): the `as_of` of the job's payload, else the day on which the job
 * was created. Never the wall clock, so a retry, or a backfill of last year, gives what the first run did.
 *
 * | part    | 100 means                                            | facts                          |
 * |---------|------------------------------------------------------|--------------------------------|
 * | activity | 128 commits or more, some in each of the last 13 weeks | commits90d, activeWeeks      |
 * | busFactor | 4 people or more made half of the last year's commits | busFactor, people365d          |
 * | freshness | a commit in the last 7 days; then halves each 90 days | daysSinceCommit                |
 * | release  | a tag in the last 30 days; then halves each 180 days  | daysSinceRelease, releases365d |
 * | review   | every merge of 90 days was read by another, half of them within a day; then halves each 3 days | merged90d, reviewed90d, hoursToReview |
 *
 * `health-2` weighs them by policy; without a merged pull request it has no review, and the weights of the others
 * grow until they make 1. `health-1` knows four parts and has weights of its own. People are told apart by mail.
 * A history without a commit in the last 365 days has 0 in the first three parts.
 */
import { createHash } from "node:crypto";
import { DAY_MS } from "../base/duration.js";
import { canonicalJson } from "../base/json.js";
import { WORKLOAD_DEFAULTS } from "../policy/defaults.js";
import type { ScoreFormula, ScorePart as ScorePartName, ScoreWeights } from "../policy/workload.js";
import type { ReviewFacts } from "./review-health.js";
import { ACTIVITY_WEEKS, type HistoryFacts, SCORE_WINDOW_DAYS } from "./score-history.js";

const HEALTH_1_WEIGHTS = { activity: 0.35, busFactor: 0.25, freshness: 0.25, release: 0.15 };

const ACTIVITY_COMMITS_FULL = 128;
const BUS_FACTOR_FULL = 4;
const FRESH_DAYS = 7;
const FRESH_HALVES_DAYS = 90;
const RELEASE_DAYS = 30;
const RELEASE_HALVES_DAYS = 180;
const REVIEW_HOURS = 24;
const REVIEW_HALVES_HOURS = 72;

export interface Scoring {
  readonly formula: ScoreFormula;
  readonly weights: ScoreWeights;
}

export interface ScoreInputs {
  readonly history: HistoryFacts;
  readonly tags: readonly { readonly at: Date }[];
  /** Null: nothing is known of reviews. */
  readonly reviews: ReviewFacts | null;
  /** The last moment that counts. */
  readonly asOf: Date;
}

export interface ScorePart {
  /** 0 to 100. */
  readonly value: number;
  /** As it was used: those of all parts together make 1. */
  readonly weight: number;
  /** What the value was computed from; null where there is nothing. */
  readonly facts: Readonly<Record<string, number | null>>;
}

export interface Score {
  readonly formula: string;
  /** 0 to 100, one decimal. */
  readonly score: number;
  readonly parts: Readonly<Partial<Record<ScorePartName, ScorePart>>>;
  /** Parts of the formula of which nothing is known. */
  readonly leftOut: readonly ScorePartName[];
}

/** Scores by other weights are rows of their own, under a name of their own: `health-2+1a2b3c4d`. */
export function formulaName({ formula, weights }: Scoring): string {
  if (formula === "health-1") return formula;
  const written = canonicalJson({ ...weights });
  if (written === canonicalJson({ ...WORKLOAD_DEFAULTS.scoring.weights })) return formula;
  return `${formula}+${createHash("sha256").update(written).digest("hex").slice(0, 8)}`;
}

export function computeScore(inputs: ScoreInputs, scoring: Scoring): Score {
  const weights: Partial<ScoreWeights> =
    scoring.formula === "health-1" ? HEALTH_1_WEIGHTS : scoring.weights;
  const names = Object.keys(weights) as ScorePartName[];
  const known = names.flatMap((name) => {
    const measured = PARTS[name](inputs);
    return measured === null ? [] : [{ name, ...measured, share: weights[name] ?? 0 }];
  });
  const whole = known.reduce((total, { share }) => total + share, 0);
  const sum = known.reduce((total, { value, share }) => total + value * share, 0);
  return {
    formula: formulaName(scoring),
    score: round(sum / whole),
    parts: Object.fromEntries(
      known.map(({ name, value, facts, share }) => [
        name,
        { value, weight: Number((share / whole).toPrecision(6)), facts },
      ]),
    ),
    leftOut: names.filter((name) => !known.some((part) => part.name === name)),
  };
}

type Measured = Omit<ScorePart, "weight">;

/** Null: nothing is known. */
const PARTS: Readonly<Record<ScorePartName, (inputs: ScoreInputs) => Measured | null>> = {
  activity: ({ history }) => measureActivity(history),
  busFactor: ({ history }) => measureBusFactor(history.commitsByPerson),
  freshness: ({ history, asOf }) => measureFreshness(history.newestAt, asOf),
  release: ({ tags, asOf }) => measureRelease(tags, asOf),
  review: ({ reviews }) => (reviews === null ? null : measureReview(reviews)),
};

function measureActivity({ commits90d, activeWeeks }: HistoryFacts): Measured {
  // Logarithmic: the tenth commit says more than the hundredth.
  const volume = Math.min(1, Math.log2(1 + commits90d) / Math.log2(1 + ACTIVITY_COMMITS_FULL));
  const rhythm = activeWeeks / ACTIVITY_WEEKS;
  return { value: round(50 * volume + 50 * rhythm), facts: { commits90d, activeWeeks } };
}

function measureBusFactor(commitsByPerson: ReadonlyMap<string, number>): Measured {
  const counts = [...commitsByPerson.values()].sort((a, b) => b - a);
  const half = counts.reduce((total, count) => total + count, 0) / 2;
  let busFactor = 0;
  for (let covered = 0; covered < half; busFactor++) covered += counts[busFactor] ?? 0;
  return {
    value: round(100 * Math.min(1, busFactor / BUS_FACTOR_FULL)),
    facts: { busFactor, people365d: counts.length },
  };
}

function measureFreshness(newestAt: Date | null, asOf: Date): Measured {
  const days = newestAt === null ? null : daysBetween(newestAt, asOf);
  return {
    value: days === null ? 0 : round(100 * fade(days, FRESH_DAYS, FRESH_HALVES_DAYS)),
    facts: { daysSinceCommit: days },
  };
}

function measureRelease(tags: readonly { readonly at: Date }[], asOf: Date): Measured {
  const ages = tags.filter(({ at }) => at <= asOf).map(({ at }) => daysBetween(at, asOf));
  const newest = ages.length === 0 ? null : ages.reduce((least, age) => Math.min(least, age));
  return {
    value: newest === null ? 0 : round(100 * fade(newest, RELEASE_DAYS, RELEASE_HALVES_DAYS)),
    facts: {
      daysSinceRelease: newest,
      releases365d: ages.filter((age) => age <= SCORE_WINDOW_DAYS).length,
    },
  };
}

/** What was read late counts half at least: late is better than never. */
function measureReview({ merged, reviewed, hoursToReview }: ReviewFacts): Measured {
  const speed = hoursToReview === null ? 0 : fade(hoursToReview, REVIEW_HOURS, REVIEW_HALVES_HOURS);
  return {
    value: round((reviewed / merged) * (50 + 50 * speed)),
    facts: {
      merged90d: merged,
      reviewed90d: reviewed,
      hoursToReview: hoursToReview === null ? null : round(hoursToReview),
    },
  };
}

function daysBetween(from: Date, to: Date): number {
  return Math.floor((to.getTime() - from.getTime()) / DAY_MS);
}

/** 1 up to `full`, then half of it each `halves`, in the same unit. */
function fade(age: number, full: number, halves: number): number {
  return 2 ** (-Math.max(0, age - full) / halves);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
