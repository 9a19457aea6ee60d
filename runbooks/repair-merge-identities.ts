/** Merges identities into one that stays (RB-46, HB-op-22, HB-api-05). */
import { HOUR_MS, MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, Type } from "../src/runbook/define.js";
import { awaitJob, inWords, jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const COUNT = "count what would be merged";
const MERGE = "merge them";
const FOLLOWED_MS = HOUR_MS;

type Params = { target: string; ids: string };

export default defineRunbook({
  name: "repair-merge-identities",
  aliases: ["merge-identities"],
  title: "Merges identities of one person into the one that stays",
  danger: "D",
  params: Type.Object(
    {
      target: Type.String({ pattern: "^[A-Za-z0-9-]{1,200}$", description: "identity that stays" }),
      ids: Type.String({
        pattern: "^[A-Za-z0-9-]{1,200}(,[A-Za-z0-9-]{1,200}){0,99}$",
        description: "identities that are merged into it, with commas between",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["target", "ids"],
  locks: () => ["identities"],
  timeoutMs: FOLLOWED_MS + MINUTE_MS,
  touches: { database: ["jobs:read", "workload:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "Look twice at names and masked addresses: two people with one name are two people. A merge can be undone: a repair job of the type undo_merge with the numbers that this job tells.",
  plan: async ({ params, workload }) => {
    const wanted = [...new Set([params.target, ...idsOf(params)])];
    const found = await workload.identities(wanted);
    const missing = wanted.filter((id) => !found.some((it) => it.id === id));
    if (missing.length > 0)
      throw fault.refused("IDENTITY_UNKNOWN", `there is no identity ${missing.join(", ")}`);
    const target = found.find(({ id }) => id === params.target)!;
    if (target.mergedInto !== null)
      throw fault.refused(
        "IDENTITY_MERGED",
        `${target.id} was itself merged into ${target.mergedInto}`,
        { hint: `give ${target.mergedInto} as the target` },
      );
    const say = (it: (typeof found)[number]) =>
      `${it.id}: ${it.name ?? "no name"} <${it.mail ?? "no mail"}>, ${it.kind}, ${it.claims} claims, ${it.commits} commits`;
    const others = found.filter(({ id }) => id !== target.id);
    return {
      text: [`stays: ${say(target)}`, ...others.map((it) => `merged: ${say(it)}`)].join("\n"),
      changes: [`merge ${others.length} identities into ${target.name ?? target.id}`],
    };
  },
  steps: [
    submitStep<Params>(
      COUNT,
      ({ params }) => ({
        kind: "repair",
        payload: { ...payloadOf(params), dry_run: true },
        priority: 9,
      }),
      () => "counted before the merge",
    ),
    {
      name: "wait for the count",
      repeat: "safe",
      run: async (context) => inWords(await awaitJob(context, COUNT)),
      undo: { never: "it only looked" },
    },
    submitStep<Params>(
      MERGE,
      ({ params }) => ({ kind: "repair", payload: payloadOf(params), priority: 9 }),
      () => "approved by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 1_000,
    check: async (context) => {
      const verdict = await jobVerdict(context, MERGE);
      if (verdict.state !== "passed") return verdict;
      const left = (await context.workload.identities(idsOf(context.params))).filter(
        ({ id, mergedInto }) => id !== context.params.target && mergedInto === null,
      );
      if (left.length === 0) return verdict;
      return { state: "failed", text: `${left.map(({ id }) => id).join(", ")} stand as before` };
    },
  },
  next: () => "/algobrain list-quarantine",
});

function idsOf({ ids, target }: Params): string[] {
  return [...new Set(ids.split(","))].filter((id) => id !== target);
}

function payloadOf(params: Params) {
  return {
    repair_type: "merge_identities",
    identity_ids: idsOf(params),
    target_identity_id: params.target,
  };
}
