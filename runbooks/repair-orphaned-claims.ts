/** Removes claims whose identity is gone, and keeps a record of them (RB-47, HB-op-23, HB-api-06). */
import { HOUR_MS, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, Type } from "../src/runbook/define.js";
import { jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const CLEAN = "remove them";
const FOLLOWED_MS = HOUR_MS;
/** More than was planned for by so much, and by this share: somebody is at work on identities. */
const MORE_MAX = 100;

export default defineRunbook({
  name: "repair-orphaned-claims",
  aliases: ["orphaned-claims"],
  title: "Removes claims of people who are not there any more",
  danger: "D",
  params: Type.Object({}, { additionalProperties: false }),
  locks: () => ["identities"],
  timeoutMs: FOLLOWED_MS + MINUTE_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "Indexing the repositories again brings back what is true. What was removed is kept: a repair job of the type restore_claims with the number of this cleanup's job puts it back.",
  plan: async ({ workload }) => {
    const orphans = await workload.orphanedClaims();
    if (orphans === 0)
      throw fault.refused(
        "NOTHING_TO_REPAIR",
        "every claim has an identity: nothing is to be removed",
      );
    return {
      text: `${orphans} claims have no identity`,
      changes: [`remove ${orphans} claims, after a record of them is written`],
      facts: { orphans },
    };
  },
  steps: [
    {
      name: "count again",
      repeat: "safe",
      run: async ({ workload, plan }) => {
        const orphans = await workload.orphanedClaims();
        const planned = Number(plan.facts?.orphans);
        if (orphans > planned + Math.max(MORE_MAX, planned / 10))
          throw fault.data(
            "MORE_ORPHANS",
            `${orphans} claims have no identity by now, and ${planned} had when people agreed: ask again`,
          );
        return `${orphans} claims have no identity`;
      },
      undo: { never: "it only looked" },
    },
    submitStep<object>(
      CLEAN,
      () => ({
        kind: "repair",
        payload: { repair_type: "cleanup_orphaned_claims" },
        priority: 9,
      }),
      () => "approved by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 1_000,
    check: async (context) => {
      const verdict = await jobVerdict(context, CLEAN);
      if (verdict.state !== "passed") return verdict;
      const left = await context.workload.orphanedClaims();
      if (left === 0)
        return { state: "passed", text: `no claim is without an identity; ${verdict.text}` };
      return { state: "failed", text: `${left} claims are still without an identity` };
    },
  },
  next: () => "/algobrain list-quarantine",
});
