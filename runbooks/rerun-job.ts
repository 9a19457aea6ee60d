/** Runs a job again, guarded and audited, and follows it to its end (RB-27, HB-op-17, X-01). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import {
  CANCEL_UNLESS_BEGUN,
  defineRunbook,
  JobId,
  jobSeq,
  mayRerun,
  Type,
} from "../src/runbook/define.js";

export default defineRunbook({
  name: "rerun-job",
  aliases: ["rerun", "retry"],
  title: "Runs a job again and follows it to its end",
  danger: "V",
  params: Type.Object(
    {
      job: JobId,
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "asked for a rerun",
        description: "why, in up to 500 characters",
      }),
      force: Type.Boolean({
        default: false,
        description: "true to take a running job from its worker first",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["job", "reason"],
  locks: ({ job }) => [`job-${jobSeq(job)}`],
  timeoutMs: 20 * MINUTE_MS,
  touches: { database: ["jobs:read", "jobs:retry", "jobs:cancel"] },
  // A job that waits for its turn for a long time is not helped by a cancel.
  undoOnFailure: "asked",
  guide:
    "Use it when the cause of the failure is gone. A running job is left to its worker unless force=true, which ends that worker's hold first.",
  plan: async ({ params, runtime }) => {
    const seq = jobSeq(params.job);
    const job = await runtime.job(seq);
    if (!job) throw fault.refused("JOB_UNKNOWN", `there is no job-${seq}`);
    if (!mayRerun(job.status, params.force))
      throw fault.refused(
        "JOB_NOT_RETRYABLE",
        `${job.id} is ${job.status}, and only a failed, quarantined or cancelled job can be run again`,
        { hint: job.status === "running" ? "force=true takes it from its worker" : undefined },
      );
    const error = job.error ? `, after: ${job.error}` : "";
    return {
      text: `${job.id} (${job.kind}) is ${job.status} with ${job.attempts} attempts${error}`,
      changes: [`set ${job.id} to pending, so that a worker takes it`],
      facts: { fence: job.fence },
    };
  },
  steps: [
    {
      name: "set the job to pending",
      repeat: {
        // Every move of a job grows its fence: a larger one than planned means that it was moved.
        check: async ({ params, runtime, plan }) => {
          const job = await runtime.job(jobSeq(params.job));
          if (!job) return "unknown";
          return job.fence > Number(plan.facts?.fence) ? "done" : "not-done";
        },
      },
      run: async ({ params, runtime }) => {
        const seq = jobSeq(params.job);
        await runtime.retryJob({ seq, reason: params.reason, force: params.force });
        return `job-${seq} is pending`;
      },
      undo: CANCEL_UNLESS_BEGUN,
    },
  ],
  verify: {
    withinMs: () => 15 * MINUTE_MS,
    everyMs: 250,
    check: async ({ params, runtime }) => {
      const job = await runtime.job(jobSeq(params.job));
      if (!job) return { state: "failed", text: `job-${jobSeq(params.job)} is gone` };
      if (job.status === "completed")
        return { state: "passed", text: `${job.id} completed on attempt ${job.attempts}` };
      if (job.status === "pending" || job.status === "running")
        return { state: "waiting", text: `${job.id} is still ${job.status}` };
      return {
        state: "failed",
        text: `${job.id} is ${job.status} again: ${job.error ?? "no error was kept"}`,
      };
    },
  },
  next: ({ job }) => `/algobrain inspect-job job-${jobSeq(job)}`,
});
