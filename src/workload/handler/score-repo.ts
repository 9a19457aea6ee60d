/**
 * score (HB-wrk-04): the health of a repository on a day, by the formula in score-formula. The day is an
 * input of the job, so the same job gives the same row however often and whenever it runs.
 */
import { DAY_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { Cache, Git, JobContext, JobHandler, RepoPlace } from "../../job/port.js";
import type { WorkloadPolicy } from "../../policy/workload.js";
import type { Sql } from "../../store/database.js";
import { listReviewEvents } from "../../store/review-events.js";
import { putScore } from "../../store/scores.js";
import { endOfDay, isRealDay, utcDay } from "../day.js";
import { type HeldRepoDeps, withRepo } from "../held-repo.js";
import type { ScorePayload } from "../payloads.js";
import { forgetLatestScore } from "../repo-cache.js";
import { type ReviewFacts, reviewFacts } from "../review-health.js";
import { computeScore, type Score, type Scoring } from "../score-formula.js";
import { ACTIVITY_DAYS, readHistoryFacts, SCORE_WINDOW_DAYS } from "../score-history.js";

interface ScoreDeps extends HeldRepoDeps {
  readonly git: Git;
  readonly cache: Cache;
  readonly policy: () => WorkloadPolicy;
}

/** What the score speaks of. */
interface Subject {
  readonly repoId: string;
  readonly at: RepoPlace;
  readonly commit: string;
  readonly asOf: Day;
  /** In force when the job began: it may change while the history is read. */
  readonly scoring: Scoring;
}

interface Day {
  readonly day: string;
  /** Its last moment. */
  readonly end: Date;
  readonly isPast: boolean;
}

export function createScoreHandler(deps: ScoreDeps): JobHandler {
  return {
    kind: "score",
    run: async (context): Promise<JsonObject> => {
      const { repo_id: repoId, as_of } = context.job.payload as ScorePayload;
      const asOf = checkedDay(as_of, context.job.createdAt);
      // A clone that was made after a past day has all of it, and need not be fetched again.
      const need = asOf.isPast ? { freshAfter: asOf.end } : {};
      const { scoring } = deps.policy();
      const score = async (at: RepoPlace | null) => {
        if (at === null) return { skipped: "the repository is archived" };
        const commit = await commitOf(deps.git, at, asOf, context.signal);
        if (commit === null) return { skipped: noCommit(asOf) };
        return scoreCommit(deps, { repoId, at, commit, asOf, scoring }, context);
      };
      return withRepo(deps, repoId, context, score, need);
    },
  };
}

/** Without `as_of`: the day on which the job was created. */
function checkedDay(asOf: string | undefined, createdAt: Date): Day {
  const today = utcDay(createdAt);
  const day = asOf ?? today;
  if (!isRealDay(day)) throw badDay(`found as_of "${day}", which is not a day of the calendar`);
  if (day > today) throw badDay(`found as_of ${day}, which is after the day of the job, ${today}`);
  return { day, end: endOfDay(day), isPast: day < today };
}

function badDay(message: string) {
  const hint = "give as_of as yyyy-mm-dd, today (UTC) at the latest";
  return fault.data("SCORE_DAY_INVALID", message, { hint });
}

/** Today's is the head. Of a past day it is the newest of the main line that was committed by its end. */
async function commitOf(
  git: Git,
  at: RepoPlace,
  { end, isPast }: Day,
  signal: AbortSignal,
): Promise<string | null> {
  const head = await git.head(at, signal);
  if (head === null || !isPast) return head?.commit ?? null;
  return git.commitAt(at, head.commit, end, signal);
}

function noCommit({ day, isPast }: Day): string {
  return `the repository has no commit${isPast ? ` of ${day} or before` : ""}`;
}

async function scoreCommit(
  deps: ScoreDeps,
  subject: Subject,
  context: JobContext,
): Promise<JsonObject> {
  const { repoId, commit, asOf, scoring } = subject;
  const inputs = await readInputs(deps, subject, context);
  const scored = computeScore(inputs, scoring);
  const now = context.now();
  await putScore(deps.db, {
    ...{ repoId, commit, asOf: asOf.day, score: scored.score, formula: scored.formula },
    parts: partsOf(scored),
    computedAt: asOf.isPast && asOf.end < now ? asOf.end : now,
  });
  await forgetLatestScore(deps.cache, repoId);
  const { score, formula } = scored;
  return { score, formula, as_of: asOf.day, commit, parts: partsOf(scored) };
}

async function readInputs(
  { db, git }: ScoreDeps,
  { repoId, at, commit, asOf: { end }, scoring }: Subject,
  { signal }: JobContext,
) {
  const since = daysBefore(end, SCORE_WINDOW_DAYS);
  const commits = git.commits(at, { head: commit, since }, signal);
  const history = await readHistoryFacts(commits, end);
  const tags = await git.tags(at, signal);
  const isAsked = scoring.formula !== "health-1";
  const reviews = isAsked ? await readReviews(db, repoId, end) : null;
  return { history, tags, reviews, asOf: end };
}

/** All that is known now of that time: a review that reached us late counts from then on. */
async function readReviews(db: Sql, repoId: string, until: Date): Promise<ReviewFacts | null> {
  const mergesAfter = daysBefore(until, ACTIVITY_DAYS);
  // A change that was merged early in the time was read before it.
  const reviewsAfter = daysBefore(until, 2 * ACTIVITY_DAYS);
  return reviewFacts(await listReviewEvents(db, { repoId, reviewsAfter, mergesAfter, until }));
}

function daysBefore(at: Date, days: number): Date {
  return new Date(at.getTime() - days * DAY_MS);
}

function partsOf({ parts, leftOut }: Score): JsonObject {
  const said = Object.entries(parts).map(
    ([name, { value, weight, facts }]): [string, JsonObject] => [name, { value, weight, ...facts }],
  );
  return {
    ...Object.fromEntries(said),
    ...(leftOut.length > 0 && { leftOut: [...leftOut] }),
  };
}
