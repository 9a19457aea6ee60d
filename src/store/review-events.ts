/** Merges and reviews among the events of a repository: only what a score needs of them, so that bodies stay where they are. */
import type { Sql } from "./database.js";

/** As the event says it; every text as it came, null where there is none. */
export interface ReviewEvent {
  readonly kind: "merge" | "review";
  /** Number of the pull request. */
  readonly pull: string | null;
  /** Login of whoever opened it, and `User` or `Bot`. */
  readonly author: string | null;
  readonly authorType: string | null;
  readonly openedAt: string | null;
  /** Of the merge, or of the review. */
  readonly at: string | null;
  readonly reviewer: string | null;
  readonly reviewerType: string | null;
}

export interface ReviewSpan {
  readonly repoId: string;
  /** Reviews may be older than the merges that they were made for. */
  readonly reviewsAfter: Date;
  readonly mergesAfter: Date;
  readonly until: Date;
}

/** Newest first; more than these say nothing new of how a team works. */
const EVENTS_MAX = 10_000;

/**
 * By when it happened, not by when it came. Only what GitHub sent by itself: a backfill knows of merges and not of
 * reviews, and would make every old change look unread.
 */
export async function listReviewEvents(sql: Sql, span: ReviewSpan): Promise<ReviewEvent[]> {
  const { rows } = await sql.query<ReviewEvent>(
    `SELECT CASE event_type WHEN 'pull_request' THEN 'merge' ELSE 'review' END AS kind,
            payload #>> '{pull_request,number}' AS pull,
            payload #>> '{pull_request,user,login}' AS author,
            payload #>> '{pull_request,user,type}' AS "authorType",
            payload #>> '{pull_request,created_at}' AS "openedAt",
            CASE event_type WHEN 'pull_request' THEN payload #>> '{pull_request,merged_at}'
              ELSE payload #>> '{review,submitted_at}' END AS at,
            payload #>> '{review,user,login}' AS reviewer,
            payload #>> '{review,user,type}' AS "reviewerType"
     FROM events
     WHERE repo_id = $1 AND source = 'github' AND occurred_at > $2 AND occurred_at <= $4
       AND (event_type = 'pull_request' AND occurred_at > $3 AND payload ->> 'action' = 'closed'
              AND payload #>> '{pull_request,merged}' = 'true'
            OR event_type = 'pull_request_review' AND payload ->> 'action' = 'submitted')
     ORDER BY occurred_at DESC, id DESC LIMIT ${EVENTS_MAX}`,
    [span.repoId, span.reviewsAfter, span.mergesAfter, span.until],
  );
  return rows;
}
