/** Which repositories have had no score lately (RB-40, HB-op-40, HB-sql-14). */
import { defineRunbook, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "find-missing-scores",
  aliases: ["missing-scores"],
  title: "Lists repositories without a score in the last days",
  danger: "R",
  params: Type.Object(
    {
      days: Type.Integer({ minimum: 1, maximum: 365, default: 7, description: "days back" }),
      limit: Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 20,
        description: "a number of rows from 1 to 100",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["days", "limit"],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read", "workload:read"] },
  guide:
    "Archived repositories are not among them. One is scored again with rescore-repo, days of the past with run-backfill. Many at once: look at the queue of score with queue-depth.",
  plan: async ({ params }) => ({
    text: `repositories without a score in ${params.days} days`,
    changes: [],
  }),
  steps: [
    {
      name: "look for them",
      repeat: "safe",
      run: async ({ params, workload }) => {
        const { count, repos } = await workload.withoutScore(params);
        if (count === 0) return `every repository has a score of the last ${params.days} days`;
        const shown = repos.length < count ? `, ${repos.length} of them shown` : "";
        return {
          text: `${count} repositories have none${shown}. To score one: /algobrain rescore-repo ${repos[0]!.id}`,
          table: {
            columns: ["repository", "id", "last score"],
            rows: repos.map(({ name, id, scoredAt }) => [
              name,
              id,
              scoredAt?.toISOString() ?? "never",
            ]),
          },
        };
      },
    },
  ],
});
