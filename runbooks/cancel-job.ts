/** Ends a job for good, also a running one (RB-29, HB-op-19, X-79). */
import { formatAge, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, JobId, jobSeq, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "cancel-job",
  title: "Cancels a job; a running one is stopped",
  danger: "D",
  params: Type.Object(
    {
      job: JobId,
      reason: Type.String({
        minLength: 3,
        maxLength: 500,
        description: "why, in 3 to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["job", "reason"],
  locks: ({ job }) => [`job-${jobSeq(job)}`],
  timeoutMs: 2 * MINUTE_MS,
  touches: { database: ["jobs:read", "jobs:cancel"] },
  guide:
    "What the job did so far stays as it is, and what it would have started does not start. It can be run again later with rerun-job.",
  plan: async ({ params, runtime, now }) => {
    const seq = jobSeq(params.job);
    const job = await runtime.job(seq);
    if (!job) throw fault.refused("JOB_UNKNOWN", `there is no job-${seq}`);
    if (job.status === "completed" || job.status === "cancelled")
      throw fault.refused("JOB_HAS_ENDED", `${job.id} is ${job.status}: there is nothing to stop`);
    const age = formatAge(now().getTime() - job.createdAt.getTime());
    const stop = job.status === "running" ? [`ask ${job.workerId ?? "its worker"} to stop it`] : [];
    return {
      text: `${job.id} (${job.kind}) is ${job.status}, made ${age} ago, ${job.attempts} attempts`,
      changes: [`set ${job.id} to cancelled`, ...stop],
      facts: { fence: job.fence },
    };
  },
  steps: [
    {
      name: "cancel",
      repeat: {
        check: async ({ params, runtime, plan }) => {
          const job = await runtime.job(jobSeq(params.job));
          if (!job) return "unknown";
          if (job.status === "cancelled") return "done";
          return job.fence === Number(plan.facts?.fence) ? "not-done" : "unknown";
        },
      },
      run: async ({ params, runtime }) => {
        const seq = jobSeq(params.job);
        const { before } = await runtime.cancelJob({ seq, reason: params.reason });
        return `job-${seq} was ${before} and is cancelled`;
      },
      undo: { never: "what the job had not done stays undone: run it again with rerun-job" },
    },
  ],
  verify: {
    withinMs: () => MINUTE_MS,
    everyMs: 500,
    check: async ({ params, runtime }) => {
      const job = await runtime.job(jobSeq(params.job));
      if (job?.status !== "cancelled")
        return { state: "failed", text: `job-${jobSeq(params.job)} is ${job?.status ?? "gone"}` };
      return { state: "passed", text: `${job.id} is cancelled, and no worker holds it` };
    },
  },
  next: ({ job }) => `/algobrain rerun-job job-${jobSeq(job)}`,
});
