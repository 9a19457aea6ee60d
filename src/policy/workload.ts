/** What the kinds that know of repositories and people go by: src/workload reads it, and nothing else does. */

/** Parts of the health of a repository (HB-wrk-04), in the order in which they are said. */
export const SCORE_PARTS = ["activity", "busFactor", "freshness", "release", "review"] as const;
export type ScorePart = (typeof SCORE_PARTS)[number];
/** Shares that make 1. */
export type ScoreWeights = Readonly<Record<ScorePart, number>>;

/** `health-1` knows neither reviews nor weights: it stays for backfills that were begun with it. */
export const SCORE_FORMULAS = ["health-1", "health-2"] as const;
export type ScoreFormula = (typeof SCORE_FORMULAS)[number];

export interface WorkloadPolicy {
  readonly scoring: { readonly formula: ScoreFormula; readonly weights: ScoreWeights };
  readonly people: {
    /** Two signatures are one person from this score of evidence on, 0–1. */
    readonly mergeAt: number;
    /** From this score on a person is asked. */
    readonly hintAt: number;
  };
  readonly repositories: {
    /** Of all clones on one machine together. */
    readonly cacheBytesMax: number;
    /** Of one clone. */
    readonly repoBytesMax: number;
    /** Whether forks get people and scores. */
    readonly indexForks: boolean;
    readonly fetchTimeoutMs: number;
  };
  readonly backfill: {
    /** Children of one backfill that may be open at once. */
    readonly openMax: number;
    /** While a live job of the same kind has waited this long, a backfill adds none. */
    readonly liveOlderThanMs: number;
  };
  readonly github: {
    /** Share of the requests of an hour that jobs leave to people (AR-37). */
    readonly reserve: number;
    /** Requests at once over all processes. */
    readonly inFlight: number;
    /** Requests of one process in a second. */
    readonly perSecond: number;
  };
  readonly maintenance: {
    /** Whether the runtime backs up its database itself; false where the cloud does. */
    readonly backup: boolean;
    readonly backupsKeep: number;
    /** An index that nobody has read for this long is reported. */
    readonly unusedIndexDays: number;
  };
}
