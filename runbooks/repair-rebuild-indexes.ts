/** Rebuilds indexes that serve nobody, or all of them, while work goes on (RB-48, HB-op-24, HB-api-07). */
import { HOUR_MS, MINUTE_MS } from "../src/base/duration.js";
import { defineRunbook, Type } from "../src/runbook/define.js";
import { jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const REBUILD = "put the rebuild in";
const FOLLOWED_MS = 4 * HOUR_MS;

type Params = { only_invalid: boolean };

export default defineRunbook({
  name: "repair-rebuild-indexes",
  aliases: ["rebuild-indexes"],
  title: "Rebuilds the database's indexes without blocking anyone",
  danger: "V",
  params: Type.Object(
    {
      only_invalid: Type.Boolean({
        default: false,
        description: "true leaves those that work as they are",
      }),
    },
    { additionalProperties: false },
  ),
  locks: () => ["indexes"],
  timeoutMs: FOLLOWED_MS + MINUTE_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "It needs as much free disk as the largest index takes. A transaction that has stood open for more than a minute holds it up: see diagnose-db-connections.",
  plan: async ({ params, workload }) => {
    const invalid = await workload.invalidIndexes();
    const found =
      invalid.length === 0 ? "every index works" : `these serve nobody: ${invalid.join(", ")}`;
    return {
      text: found,
      changes: [params.only_invalid ? `rebuild ${invalid.length} indexes` : "rebuild all indexes"],
    };
  },
  steps: [
    submitStep<Params>(
      REBUILD,
      ({ params: { only_invalid } }) => ({
        kind: "repair",
        payload: { repair_type: "rebuild_indexes", ...(only_invalid ? { only_invalid } : {}) },
      }),
      () => "asked for by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 2_000,
    check: async (context) => {
      const verdict = await jobVerdict(context, REBUILD);
      if (verdict.state !== "passed") return verdict;
      const left = await context.workload.invalidIndexes();
      if (left.length === 0) return { state: "passed", text: `every index works; ${verdict.text}` };
      return { state: "failed", text: `still without use: ${left.join(", ")}` };
    },
  },
  next: () => "/algobrain diagnose-db-connections",
});
