/** Deletes what retention says, after a count that binds it (RB-65, HB-op-50, HB-wrk-07). */
import { HOUR_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { defineRunbook, Type } from "../src/runbook/define.js";
import { awaitJob, jobVerdict, submitStep } from "../src/runbook/followed-job.js";

const COUNT = "put the dry run in";
const COUNTED = "hold its count against the plan";
const DELETE = "delete what was counted";
const FOLLOWED_MS = 6 * HOUR_MS;
/** What comes of age between the plan and the dry run: a share, and rows. */
const GROWTH = { share: 0.1, rows: 1_000 };

export default defineRunbook({
  name: "run-gc",
  aliases: ["gc"],
  title: "Deletes rows that are older than their retention, in batches",
  danger: "D",
  params: Type.Object({}, { additionalProperties: false }),
  locks: () => ["gc"],
  timeoutMs: FOLLOWED_MS + HOUR_MS,
  touches: { database: ["jobs:read", "retention:read", "jobs:submit", "jobs:cancel"] },
  guide:
    "Quarantined jobs and the audit log are on file before they go; the rest is gone for good. To keep more, change retention.yaml first. It deletes no more than people agreed to.",
  plan: async ({ workload }) => {
    const due = await workload.due();
    const rows = due.reduce((sum, it) => sum + it.rows, 0);
    if (rows === 0)
      throw fault.refused("NOTHING_DUE", "nothing is older than its retention: nothing would go");
    return {
      text: [
        `${rows} rows are older than their retention:`,
        ...due.map((it) => `${it.entity}: ${it.rows}, before ${it.before.toISOString()}`),
      ].join("\n"),
      changes: [`delete ${rows} rows of ${due.length} kinds, in batches`],
      facts: { rows },
    };
  },
  steps: [
    submitStep<object>(
      COUNT,
      () => ({ kind: "gc", payload: { dry_run: true }, priority: 9 }),
      () => "counted before anything goes",
    ),
    {
      name: COUNTED,
      repeat: "safe",
      run: async (context) => {
        await awaitJob(context, COUNT);
        const due = await context.workload.due();
        const rows = due.reduce((sum, it) => sum + it.rows, 0);
        const planned = Number(context.plan.facts?.rows);
        if (rows > planned * (1 + GROWTH.share) + GROWTH.rows)
          throw fault.data(
            "GC_MORE_THAN_PLANNED",
            `${rows} rows are due by now, and ${planned} were when people agreed: ask again`,
          );
        return `${rows} rows are due, ${planned} were planned for`;
      },
      undo: { never: "it only looked" },
    },
    submitStep<object>(
      DELETE,
      ({ resultOf }) => ({ kind: "gc", payload: { preview: String(resultOf(COUNT)) } }),
      () => "approved by a person",
    ),
  ],
  verify: {
    withinMs: () => FOLLOWED_MS,
    everyMs: 2_000,
    check: (context) => jobVerdict(context, DELETE),
  },
  next: () => "/algobrain queue-depth",
});
