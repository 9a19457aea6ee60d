/** How far backfills came, each by its own children (RB-39, HB-op-47, X-40). */
import { parseDuration } from "../src/base/duration.js";
import { DurationText, defineRunbook, JobId, jobSeq, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "backfill-progress",
  aliases: ["backfills"],
  title: "Shows how far backfills came: planned, done, failed, left",
  danger: "R",
  params: Type.Object(
    {
      job: Type.Optional(JobId),
      window: Type.Unsafe<string>({ ...DurationText, default: "7d" }),
    },
    { additionalProperties: false },
  ),
  positional: ["job"],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read", "workload:read"] },
  guide:
    "Percent is of what was missing when the backfill began. Failed children wait for a person: list them with list-quarantine, or run them again with rerun-failed-jobs.",
  plan: async ({ params }) => ({
    text: params.job === undefined ? `backfills of the last ${params.window}` : params.job,
    changes: [],
  }),
  steps: [
    {
      name: "count what each has done",
      repeat: "safe",
      run: async ({ params, workload }) => {
        const jobId = params.job === undefined ? null : `job-${jobSeq(params.job)}`;
        const sinceMs = parseDuration(params.window) ?? 0;
        const backfills = await workload.backfills({ sinceMs, jobId });
        if (backfills.length === 0)
          return jobId === null
            ? `there was no backfill in the last ${params.window}`
            : `${jobId} is no backfill, or it has not begun`;
        return {
          text: `${backfills.length} backfills, newest first`,
          table: {
            columns: ["backfill", "what", "days", "done", "waiting", "running", "failed", "of"],
            rows: backfills.map((it) => {
              const { completed = 0, pending = 0, running = 0 } = it.children;
              const { failed = 0, quarantined = 0, cancelled = 0 } = it.children;
              const share = it.planned === 0 ? 100 : (100 * completed) / it.planned;
              return [
                `${it.jobId} ${it.status}`,
                it.entity,
                `${it.firstDay} to ${it.lastDay}`,
                `${completed} (${Math.min(100, Math.floor(share))} %)`,
                String(pending),
                String(running),
                String(failed + quarantined + cancelled),
                String(it.planned),
              ];
            }),
          },
        };
      },
    },
  ],
});
