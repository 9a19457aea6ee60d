/** Pending by kind with the oldest age, running, failed (RB-32, HB-op-44, HB-sql-18). */
import { formatAge } from "../src/base/duration.js";
import { defineRunbook, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "queue-depth",
  aliases: ["queues", "depth"],
  title: "Shows how many jobs wait, run and failed, by kind",
  danger: "R",
  params: Type.Object({}, { additionalProperties: false }),
  timeoutMs: 30_000,
  touches: { database: ["jobs:read"] },
  guide:
    "Use it when work seems to stand still: what waits and for how long, what runs, and what is paused by whom.",
  plan: async () => ({ text: "count the jobs of each kind", changes: [] }),
  steps: [
    {
      name: "count the queues",
      repeat: "safe",
      run: async ({ runtime }) => {
        const [queues, pauses, workers, safeMode] = await Promise.all([
          runtime.queues(),
          runtime.pauses(),
          runtime.liveWorkers(),
          runtime.safeMode(),
        ]);
        const paused = new Set(pauses.map(({ kind }) => kind));
        const pending = queues.reduce((sum, queue) => sum + queue.pending, 0);
        const running = queues.reduce((sum, queue) => sum + queue.running, 0);
        return {
          text: [
            `${pending} jobs wait, ${running} run on ${workers} live worker processes`,
            ...(safeMode.active
              ? [`safe mode is on: ${safeMode.reason ?? "no reason given"}`]
              : []),
            ...pauses.map((it) => `${it.kind} is paused by ${it.pausedBy}: ${it.reason}`),
          ].join("\n"),
          table: {
            columns: ["kind", "pending", "oldest", "running", "failed", "quarantined", "paused"],
            rows: queues.map((queue) => [
              queue.kind,
              String(queue.pending),
              queue.oldestPendingMs === null ? "–" : formatAge(queue.oldestPendingMs),
              String(queue.running),
              String(queue.failed),
              String(queue.quarantined),
              paused.has(queue.kind) || paused.has("all") ? "yes" : "",
            ]),
          },
        };
      },
    },
  ],
});
