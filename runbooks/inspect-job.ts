/** A job with what it told, its healing and its audit history, in plain language (RB-26, HB-op-16, BQ-wrk-04). */
import { fault } from "../src/base/fault.js";
import { defineRunbook, JobId, jobSeq, Type } from "../src/runbook/define.js";

const HISTORY_MAX = 10;
/** Of a trace: where it was thrown stands at its top. */
const TRACE_LINES_MAX = 8;

export default defineRunbook({
  name: "inspect-job",
  aliases: ["inspect", "job"],
  title: "Shows a job with its healing and audit history",
  danger: "R",
  params: Type.Object({ job: JobId }, { additionalProperties: false }),
  positional: ["job"],
  timeoutMs: 30_000,
  touches: { database: ["jobs:read"] },
  guide:
    "Use it first, before anything is done to a job: it shows what healing and people did, how far the newest attempt came, and where it failed.",
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
        const [newest] = await runtime.attemptsOf(seq, 1);
        const told = newest?.lines.slice(-HISTORY_MAX) ?? [];
        const history = [
          ...healing.map((it) => ({
            at: it.at,
            who: "healdec",
            what: `${it.failureType} failure, ${it.strategy} ${wordFor(it.success)}`,
          })),
          ...audit.map((it) => ({ at: it.at, who: it.actor, what: it.action })),
          ...told.map((it) => ({
            at: it.at,
            who: `attempt ${newest?.attempt}`,
            what: `${it.level}: ${it.message}`,
          })),
        ].sort((a, b) => b.at.getTime() - a.at.getTime());
        const where = job.workerId ? ` on ${job.workerId}` : "";
        return {
          text: [
            `${job.id} (${job.kind}) is ${job.status}${where}, ${job.attempts} attempts, created ${job.createdAt.toISOString()}${job.error ? `; last error: ${job.error}` : ""}`,
            ...progressLines(newest),
            ...traceLines(newest),
          ].join("\n"),
          table: {
            columns: ["when", "who", "what"],
            rows: history.map((it) => [it.at.toISOString(), it.who, it.what]),
          },
        };
      },
    },
  ],
});

interface Told {
  readonly attempt: number;
  readonly progress: number | null;
  readonly note: string | null;
  readonly error: { readonly trace: string | null } | null;
}

function progressLines(told: Told | undefined): string[] {
  if (told === undefined || told.progress === null) return [];
  const { attempt, progress, note } = told;
  const percent = progress === 1 ? 100 : Math.min(99, Math.round(progress * 100));
  return [`attempt ${attempt} came to ${percent} %${note === null ? "" : `: ${note}`}`];
}

function traceLines(told: Told | undefined): string[] {
  const lines = told?.error?.trace?.split("\n") ?? [];
  // Quoted: it is what the handler said, not what went wrong here. Node's own lines help nobody.
  const ours = lines.filter((line) => !line.includes("node:internal"));
  return ours.slice(0, TRACE_LINES_MAX).map((line) => `| ${line.trimStart()}`);
}

function wordFor(success: boolean | null): string {
  if (success === null) return "(outcome not yet known)";
  return success ? "worked" : "did not help";
}
