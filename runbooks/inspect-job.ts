/** A job with its healing and audit history, in plain language (RB-26, HB-op-16). */
import { fault } from "../src/base/fault.js";
import { defineRunbook, JobId, jobSeq, Type } from "../src/runbook/define.js";

const HISTORY_MAX = 10;

export default defineRunbook({
  name: "inspect-job",
  aliases: ["inspect", "job"],
  title: "Shows a job with its healing and audit history",
  danger: "R",
  params: Type.Object({ job: JobId }, { additionalProperties: false }),
  positional: ["job"],
  timeoutMs: 30_000,
  plan: async ({ params }) => ({ text: `look at job-${jobSeq(params.job)}`, changes: [] }),
  steps: [
    {
      name: "read the job",
      repeat: "safe",
      run: async ({ params, runtime }) => {
        const seq = jobSeq(params.job);
        const job = await runtime.job(seq);
        if (!job) throw fault.refused("JOB_UNKNOWN", `there is no job-${seq}`);
        const healing = await runtime.healingOf(job.id, HISTORY_MAX);
        const audit = await runtime.auditOf(job.id, HISTORY_MAX);
        const history = [
          ...healing.map((it) => ({
            at: it.at,
            who: "healdec",
            what: `${it.failureType} failure, ${it.strategy} ${wordFor(it.success)}`,
          })),
          ...audit.map((it) => ({ at: it.at, who: it.actor, what: it.action })),
        ].sort((a, b) => b.at.getTime() - a.at.getTime());
        const where = job.workerId ? ` on ${job.workerId}` : "";
        return {
          text: `${job.id} (${job.kind}) is ${job.status}${where}, ${job.attempts} attempts, created ${job.createdAt.toISOString()}${job.error ? `; last error: ${job.error}` : ""}`,
          table: {
            columns: ["when", "who", "what"],
            rows: history.map((it) => [it.at.toISOString(), it.who, it.what]),
          },
        };
      },
    },
  ],
});

function wordFor(success: boolean | null): string {
  if (success === null) return "(outcome not yet known)";
  return success ? "worked" : "did not help";
}
