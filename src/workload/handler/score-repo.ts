/**
 * score (HB-wrk-04): the health of a repository on a day, by the formula in score-formula. The day is an
 * input of the job, so the same job gives the same row however often and whenever it runs.
 */
import { DAY_MS } from "../../base/duration.js";
import type { JsonObject } from "../../base/json.js";
import type {
  Cache,
  CommitRecord,
  Git,
  JobContext,
  JobHandler,
  RepoPlace,
} from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { putScore } from "../../store/scores.js";
import { endOfDay, utcDay } from "../day.js";
import { findLocalRepo, placeOf } from "../local-repo.js";
import type { ScorePayload } from "../payloads.js";
import { forgetLatestScore } from "../repo-cache.js";
import { computeScore, readHistoryFacts, SCORE_WINDOW_DAYS, type Score } from "../score-formula.js";

interface ScoreDeps {
  readonly db: Database;
  readonly git: Git;
  readonly cache: Cache;
}

export function createScoreHandler(deps: ScoreDeps): JobHandler {
  return {
    kind: "score",
    run: async (context): Promise<JsonObject> => {
      const { repo_id, as_of } = context.job.payload as ScorePayload;
      const asOf = as_of ?? utcDay(context.job.createdAt);
      const repo = await findLocalRepo(deps.db, repo_id);
      if (repo.archived) return { skipped: "the repository is archived" };
      const head = await deps.git.head(placeOf(repo), context.signal);
      if (head === null) return { skipped: "the repository has no commit" };
      const scored = await scoreAt(deps.git, placeOf(repo), head.commit, asOf, context);
      await putScore(deps.db, {
        repoId: repo.id,
        score: scored.score,
        formula: scored.formula,
        commit: head.commit,
        asOf,
        parts: partsOf(scored),
        computedAt: as_of === undefined ? context.now() : earlier(endOfDay(asOf), context.now()),
      });
      await forgetLatestScore(deps.cache, repo.id);
      return { score: scored.score, as_of: asOf, commit: head.commit, parts: partsOf(scored) };
    },
  };
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

async function scoreAt(
  git: Git,
  at: RepoPlace,
  head: string,
  asOf: string,
  { signal }: JobContext,
): Promise<Score> {
  const until = endOfDay(asOf);
  const since = new Date(until.getTime() - SCORE_WINDOW_DAYS * DAY_MS);
  const commits: AsyncIterable<CommitRecord> = git.commits(at, { head, since }, signal);
  const history = await readHistoryFacts(commits, until);
  return computeScore(history, await git.tags(at, signal), until);
}

function partsOf({ parts }: Score): JsonObject {
  return Object.fromEntries(
    Object.entries(parts).map(([name, { value, weight, facts }]) => [
      name,
      { value, weight, ...facts },
    ]),
  );
}
