/** The work of this platform as runbooks may look at it: repositories, people, scores, backfills, what is due to go. */
import type { JobStatus } from "../job/job.js";

export interface RepoView {
  readonly id: string;
  readonly name: string;
  readonly org: string | null;
  readonly archived: boolean;
  /** On this machine, beside clones of what GitHub keeps. */
  readonly location: string | null;
  readonly onGithub: boolean;
  readonly headCommit: string | null;
  readonly latestScore: {
    /** 0 to 100. */
    readonly score: number;
    readonly formula: string | null;
    readonly computedAt: Date;
  } | null;
}

export interface UnscoredRepo {
  readonly id: string;
  readonly name: string;
  /** Null: never. */
  readonly scoredAt: Date | null;
}

export interface BackfillView {
  readonly jobId: string;
  readonly status: JobStatus;
  readonly entity: string;
  /** yyyy-mm-dd, both included. */
  readonly firstDay: string;
  readonly lastDay: string;
  readonly planned: number;
  readonly enqueued: number;
  /** Of its children that are still there; retention takes old ones. */
  readonly children: Readonly<Partial<Record<JobStatus, number>>>;
  readonly finishedAt: Date | null;
}

export interface IdentityView {
  readonly id: string;
  readonly name: string | null;
  /** Masked: a runbook's words are read in chat. */
  readonly mail: string | null;
  readonly kind: string;
  readonly mergedInto: string | null;
  readonly claims: number;
  readonly commits: number;
}

export interface DueRows {
  readonly entity: string;
  /** Rows older than this may go. */
  readonly before: Date;
  readonly rows: number;
}

export interface WorkloadReader {
  /** By id, by `org/name`, or by a name that only one has. */
  repo(text: string): Promise<RepoView | null>;
  /** Not archived, and without a score that was computed within so many days (HB-sql-14). Those never scored first. */
  withoutScore(ask: {
    readonly days: number;
    readonly limit: number;
  }): Promise<{ readonly count: number; readonly repos: readonly UnscoredRepo[] }>;
  /** Newest first. */
  backfills(ask: {
    readonly sinceMs: number;
    readonly jobId: string | null;
  }): Promise<readonly BackfillView[]>;
  identities(ids: readonly string[]): Promise<readonly IdentityView[]>;
  /** Claims whose identity is gone. */
  orphanedClaims(): Promise<number>;
  /** Indexes that serve nobody since their building was interrupted. */
  invalidIndexes(): Promise<readonly string[]>;
  /** What gc would delete now, by the same predicate (HB-wrk-07). */
  due(): Promise<readonly DueRows[]>;
}
