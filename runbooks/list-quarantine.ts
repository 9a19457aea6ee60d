/** What was put aside because it could not be run (RB-30, HB-op-20). */
import { formatAge } from "../src/base/duration.js";
import { defineRunbook, PUBLIC_KINDS, Type } from "../src/runbook/define.js";

/** Looked through for one kind. */
const LOOKED_AT = 1_000;
const ERROR_SHOWN = 120;

export default defineRunbook({
  name: "list-quarantine",
  aliases: ["quarantine"],
  title: "Lists jobs in quarantine with their errors, newest first",
  danger: "R",
  params: Type.Object(
    {
      kind: Type.Optional(
        Type.String({ enum: [...PUBLIC_KINDS], description: "a kind of job; default: all kinds" }),
      ),
      limit: Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 20,
        description: "jobs at most, from 1 to 100",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["kind", "limit"],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read"] },
  guide:
    "A job comes here when its payload is wrong or when it killed its worker three times. Release one with release-quarantined-job after its payload is right.",
  plan: async () => ({ text: "look at the jobs in quarantine", changes: [] }),
  steps: [
    {
      name: "list",
      repeat: "safe",
      run: async ({ params, runtime, now }) => {
        const all = await runtime.quarantined(params.kind === undefined ? params.limit : LOOKED_AT);
        const jobs = all
          .filter(({ kind }) => params.kind === undefined || kind === params.kind)
          .slice(0, params.limit);
        if (jobs.length === 0) return "no job is in quarantine";
        return {
          text: `${jobs.length} jobs, newest first. To release one: /algobrain release ${jobs[0]!.id} {"key":"right value"}`,
          table: {
            columns: ["job", "kind", "since", "attempts", "error"],
            rows: jobs.map((job) => [
              job.id,
              job.kind,
              job.completedAt ? formatAge(now().getTime() - job.completedAt.getTime()) : "–",
              String(job.attempts),
              (job.error ?? "no error was kept").slice(0, ERROR_SHOWN),
            ]),
          },
        };
      },
    },
  ],
});
