/** Lets waiting jobs of a kind come sooner or later than others (RB-33, HB-op-45, X-63). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import type { JsonObject } from "../src/base/json.js";
import { defineRunbook, PUBLIC_KINDS, Type } from "../src/runbook/define.js";

/** Their rows are locked while they change. */
const JOBS_MAX = 10_000;

interface Moved {
  readonly priority: number;
  readonly seqs: readonly number[];
}

export default defineRunbook({
  name: "prioritize-jobs",
  aliases: ["prioritize"],
  title: "Gives the waiting jobs of a kind another priority",
  danger: "V",
  params: Type.Object(
    {
      kind: Type.String({ enum: [...PUBLIC_KINDS], description: "a kind of job" }),
      to: Type.Integer({
        minimum: 1,
        maximum: 9,
        description: "the new priority, from 1 (last) to 9 (first)",
      }),
      from: Type.Optional(
        Type.Integer({
          minimum: -100,
          maximum: 100,
          description: "only jobs of this priority; default: of any",
        }),
      ),
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "their turn comes sooner or later",
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["kind", "to"],
  locks: ({ kind }) => [`queue-${kind}`],
  timeoutMs: 2 * MINUTE_MS,
  touches: { database: ["jobs:read", "jobs:prioritize"] },
  guide:
    "A level is worth ten minutes of waiting: a job of priority 6 passes one of priority 5 that came up to ten minutes before it. Jobs that come later have the priority of their kind (workers.yaml).",
  plan: async ({ params, runtime }) => {
    const waiting = await runtime.pendingOf(params.kind);
    const meant = waiting.filter(
      ({ priority }) =>
        priority !== params.to && (params.from === undefined || priority === params.from),
    );
    const count = meant.reduce((sum, it) => sum + it.count, 0);
    if (count > JOBS_MAX)
      throw fault.refused("TOO_MANY_JOBS", `${count} jobs would move, and ${JOBS_MAX} may`, {
        hint: "name one priority with from=",
      });
    const shown = waiting.map((it) => `${it.count} with ${it.priority}`).join(", ");
    return {
      text: `${params.kind}: ${shown === "" ? "no job waits" : `waiting by priority: ${shown}`}`,
      changes: count === 0 ? [] : [`give ${count} waiting jobs the priority ${params.to}`],
    };
  },
  steps: [
    {
      name: "set the priority",
      // Those that have it already are not touched again; where they were is lost then, so a person is told.
      repeat: "never",
      run: async ({ params, runtime }) => {
        const { kind, to, from = null, reason } = params;
        const { moved } = await runtime.prioritize({ kind, from, to, reason });
        const count = moved.reduce((sum, { seqs }) => sum + seqs.length, 0);
        return {
          text: `${count} waiting jobs have the priority ${to}`,
          value: moved.map(({ priority, seqs }): JsonObject => ({ priority, seqs: [...seqs] })),
        };
      },
      undo: {
        name: "give them back the priority they had",
        repeat: "safe",
        run: async ({ runtime, runId, done }) => {
          const moved = (done ?? []) as unknown as readonly Moved[];
          const reason = `taken back by ${runId}`;
          const count = await runtime.restorePriorities({ moved, reason });
          return `${count} jobs that still wait have the priority they had`;
        },
      },
    },
  ],
  verify: {
    withinMs: () => 30_000,
    everyMs: 500,
    check: async ({ params, runtime, resultOf }) => {
      const moved = (resultOf("set the priority") ?? []) as unknown as readonly Moved[];
      const of = await runtime.statusesOf(moved.flatMap(({ seqs }) => seqs));
      const waiting = of.pending ?? 0;
      const there = (await runtime.pendingOf(params.kind)).find((it) => it.priority === params.to);
      if ((there?.count ?? 0) < waiting)
        return { state: "waiting", text: `${waiting} of them wait with another priority` };
      return { state: "passed", text: `${waiting} of them wait with the priority ${params.to}` };
    },
  },
  next: () => "/algobrain queue-depth",
});
