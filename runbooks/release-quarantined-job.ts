/** Corrects the payload of a job in quarantine and runs it again (RB-31, HB-op-21). */
import { MINUTE_MS } from "../src/base/duration.js";
import { errorMessage, fault } from "../src/base/fault.js";
import { isJsonObject, type Json, type JsonObject } from "../src/base/json.js";
import { type Changed, differences, mergePatch } from "../src/base/merge-patch.js";
import { CANCEL_UNLESS_BEGUN, defineRunbook, JobId, jobSeq, Type } from "../src/runbook/define.js";

const VALUE_SHOWN = 80;

export default defineRunbook({
  name: "release-quarantined-job",
  aliases: ["release"],
  title: "Corrects the payload of a job in quarantine and runs it again",
  danger: "V",
  params: Type.Object(
    {
      job: JobId,
      patch: Type.String({
        minLength: 2,
        maxLength: 10_000,
        default: "{}",
        description:
          'what to change in the payload, as a JSON merge patch such as {"path":"/srv/repos/a"}; null takes a key away',
      }),
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "the payload is right now",
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["job", "patch"],
  locks: ({ job }) => [`job-${jobSeq(job)}`],
  timeoutMs: 20 * MINUTE_MS,
  touches: { database: ["jobs:read", "jobs:correct", "jobs:retry", "jobs:cancel"] },
  // A job that fails again stays as it is, with its new error.
  undoOnFailure: "asked",
  guide:
    "Look at the job first (inspect-job). The new payload is checked by the same schema as at every other door, and the plan shows each change before it is made.",
  plan: async ({ params, runtime }) => {
    const seq = jobSeq(params.job);
    const job = await runtime.job(seq);
    if (!job) throw fault.refused("JOB_UNKNOWN", `there is no job-${seq}`);
    if (job.status !== "quarantined")
      throw fault.refused("JOB_NOT_QUARANTINED", `${job.id} is ${job.status}, not quarantined`, {
        hint: `/algobrain rerun ${job.id} runs a failed or cancelled job again`,
      });
    const payload = patched(job.payload, params.patch);
    const wrong = runtime.checkPayload(job.kind, payload);
    if (wrong.length > 0)
      throw fault.refused("PAYLOAD_INVALID", `the new payload does not fit: ${wrong.join("; ")}`);
    const changed = differences(job.payload, payload);
    return {
      text: `${job.id} (${job.kind}) is in quarantine after: ${job.error ?? "no error was kept"}`,
      changes: [...changed.map(inWords), `run ${job.id}`],
      facts: { fence: job.fence, before: job.payload, after: payload, changes: changed.length },
    };
  },
  steps: [
    {
      name: "correct the payload",
      repeat: {
        check: async ({ params, runtime, plan }) => {
          const job = await runtime.job(jobSeq(params.job));
          const steps = (job?.fence ?? Number.NaN) - Number(plan.facts?.fence);
          if (steps === 0) return "not-done";
          return steps === 1 ? "done" : "unknown";
        },
      },
      run: async ({ params, runtime, plan }) => {
        if (plan.facts?.changes === 0) return "the payload stays as it is";
        const [seq, fence] = [jobSeq(params.job), Number(plan.facts?.fence)];
        const payload = plan.facts?.after as JsonObject;
        await runtime.correctJob({ seq, fence, payload, reason: params.reason });
        return `job-${seq} has its new payload`;
      },
      undo: {
        name: "put the old payload back if it fits the kind",
        repeat: "safe",
        run: async ({ params, runtime, plan, runId }) => {
          const job = await runtime.job(jobSeq(params.job));
          const payload = plan.facts?.before as JsonObject;
          if (job?.status !== "quarantined" && job?.status !== "failed")
            return `left as it is: job-${jobSeq(params.job)} is ${job?.status ?? "gone"}`;
          if (differences(job.payload, payload).length === 0) return "it has its old payload";
          // It was put aside because of that payload, more often than not.
          const wrong = runtime.checkPayload(job.kind, payload);
          if (wrong.length > 0) return `${job.id} keeps its new payload: ${wrong.join("; ")}`;
          const reason = `taken back by ${runId}`;
          await runtime.correctJob({ seq: job.seq, fence: job.fence, payload, reason });
          return `${job.id} has its old payload`;
        },
      },
    },
    {
      name: "run it",
      repeat: {
        check: async ({ params, runtime, plan }) => {
          const job = await runtime.job(jobSeq(params.job));
          if (!job) return "unknown";
          const before = Number(plan.facts?.fence) + Number(plan.facts?.changes !== 0);
          return job.fence > before ? "done" : "not-done";
        },
      },
      run: async ({ params, runtime }) => {
        const seq = jobSeq(params.job);
        await runtime.retryJob({ seq, reason: params.reason, force: false });
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
      if (job.status === "completed") return { state: "passed", text: `${job.id} completed` };
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

function patched(payload: JsonObject, text: string): JsonObject {
  const merged = mergePatch(payload, parsed(text));
  if (isJsonObject(merged)) return merged;
  throw fault.refused("PATCH_INVALID", `patch: found ${text.slice(0, VALUE_SHOWN)}, expected {…}`);
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw fault.refused(
      "PATCH_INVALID",
      `patch: found ${text.slice(0, VALUE_SHOWN)}, expected JSON such as {"path":"/srv/a"} (${errorMessage(error)})`,
    );
  }
}

function inWords({ pointer, before, after }: Changed): string {
  const shown = (value: Json | undefined) =>
    value === undefined ? "nothing" : JSON.stringify(value).slice(0, VALUE_SHOWN);
  return `change ${pointer === "" ? "the payload" : pointer} from ${shown(before)} to ${shown(after)}`;
}
