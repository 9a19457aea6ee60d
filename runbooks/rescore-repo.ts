/** Scores one repository anew (RB-41, HB-op-41, HB-api-09). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, RepoName, Type } from "../src/runbook/define.js";
import { jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const ASK = "put the score job in";
const FOLLOWED_MS = 30 * MINUTE_MS;

type Params = { repo: string };

export default defineRunbook({
  name: "rescore-repo",
  aliases: ["rescore"],
  title: "Scores a repository now, before other work",
  danger: "V",
  params: Type.Object(
    {
      repo: RepoName,
    },
    { additionalProperties: false },
  ),
  positional: ["repo"],
  locks: ({ repo }) => [`repo-${repo}`],
  timeoutMs: FOLLOWED_MS + MINUTE_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "The same commit on the same day gives the same score: when it stays as it was, the history or the events are what to look at (debug-identity-worker, trigger-sync).",
  plan: async ({ params, workload }) => {
    const repo = await workload.repo(params.repo);
    if (repo === null)
      throw fault.refused("REPO_UNKNOWN", `there is no one repository called "${params.repo}"`, {
        hint: "give its id: find-missing-scores shows ids",
      });
    if (repo.archived)
      throw fault.refused("REPO_ARCHIVED", `${repo.name} is archived: it gets no scores`);
    const { latestScore: latest } = repo;
    const before = latest
      ? `its score is ${latest.score}, of ${latest.computedAt.toISOString()}`
      : "it has no score yet";
    return {
      text: `${repo.name} (${repo.id}): ${before}`,
      changes: [`put in a score job for ${repo.name}`],
      facts: { repo: repo.id },
    };
  },
  steps: [
    submitStep<Params>(
      ASK,
      ({ plan }) => ({
        kind: "score",
        payload: { repo_id: String(plan.facts?.repo) },
        priority: 9,
      }),
      () => "asked for by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 1_000,
    check: async (context) => {
      const verdict = await jobVerdict(context, ASK);
      if (verdict.state !== "passed") return verdict;
      const latest = (await context.workload.repo(String(context.plan.facts?.repo)))?.latestScore;
      if (!latest) return { state: "failed", text: `${verdict.text}, and there is no score` };
      return { state: "passed", text: `the score is ${latest.score} (${latest.formula})` };
    },
  },
  next: ({ repo }) => `/algobrain debug-identity-worker ${repo}`,
});
