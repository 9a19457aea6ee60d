/** Stops starting jobs of a kind for a while; what runs goes on (RB-34, HB-op-46, X-62). */
import { parseDuration } from "../src/base/duration.js";
import { DurationText, defineRunbook, PUBLIC_KINDS, Type } from "../src/runbook/define.js";

/** A claim that was under way when the pause came may still start: not counted. */
const SETTLE_MS = 1_000;
/** How long nothing may start before we believe it. */
const QUIET_MS = 3_000;

export default defineRunbook({
  name: "pause-queue",
  aliases: ["pause"],
  title: "Stops starting jobs of a kind, or of all, until it expires",
  danger: "V",
  params: Type.Object(
    {
      kind: Type.String({ enum: [...PUBLIC_KINDS, "all"], description: "a kind of job, or all" }),
      for: Type.Unsafe<string>({ ...DurationText, default: "30m" }),
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "paused by hand",
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["kind", "for", "reason"],
  locks: ({ kind }) => kindsOf(kind).map((it) => `queue-${it}`),
  timeoutMs: 60_000,
  targetsMax: PUBLIC_KINDS.length,
  touches: { database: ["jobs:read", "queues:pause"] },
  // A pause through which something slips is nearer to what was asked for than none.
  undoOnFailure: "asked",
  guide:
    "Jobs that run go on to their end, new ones are still taken in and wait. The pause ends by itself.",
  plan: async ({ params, runtime }) => {
    const kinds = kindsOf(params.kind);
    const queues = await runtime.queues();
    const affected = queues.filter((it) => kinds.includes(it.kind));
    const pending = affected.reduce((sum, it) => sum + it.pending, 0);
    const running = affected.reduce((sum, it) => sum + it.running, 0);
    return {
      text: `${pending} jobs wait and will go on waiting, ${running} run and will finish`,
      changes: [`pause ${params.kind} for ${params.for}`],
      facts: { wasPaused: (await runtime.pauses()).some(({ kind }) => kind === params.kind) },
    };
  },
  steps: [
    {
      name: "pause",
      repeat: "safe",
      run: async ({ params, runtime, now }) => {
        const forMs = parseDuration(params.for) ?? 0;
        await runtime.pauseQueue({ kind: params.kind, reason: params.reason, forMs });
        return {
          text: `${params.kind} is paused for ${params.for}`,
          value: { since: now().toISOString() },
        };
      },
      undo: {
        name: "resume, unless it was paused before",
        repeat: "safe",
        run: async ({ params, runtime, runId, plan }) => {
          if (plan.facts?.wasPaused === true)
            return `${params.kind} was paused before: left paused`;
          await runtime.resumeQueue({ kind: params.kind, reason: `taken back by ${runId}` });
          return `${params.kind} is not paused any more`;
        },
      },
    },
  ],
  verify: {
    withinMs: () => 15_000,
    everyMs: 500,
    check: async ({ params, runtime, now, resultOf }) => {
      const { since } = resultOf("pause") as { since: string };
      const pausedAt = new Date(since);
      const isPaused = (await runtime.pauses()).some(({ kind }) => kind === params.kind);
      if (!isPaused) return { state: "failed", text: `${params.kind} is not paused after all` };
      const settledAt = new Date(pausedAt.getTime() + SETTLE_MS);
      const started = await Promise.all(
        kindsOf(params.kind).map((kind) => runtime.startedSince(kind, settledAt)),
      );
      const startedCount = started.reduce((sum, count) => sum + count, 0);
      if (startedCount > 0)
        return { state: "failed", text: `${startedCount} jobs started in spite of the pause` };
      if (now().getTime() - pausedAt.getTime() < QUIET_MS)
        return { state: "waiting", text: "watching that nothing starts" };
      return {
        state: "passed",
        text: `${params.kind} is paused for ${params.for}: no job of it starts`,
      };
    },
  },
  next: ({ kind }) => `/algobrain resume-queue ${kind}`,
});

function kindsOf(kind: string): string[] {
  return kind === "all" ? [...PUBLIC_KINDS] : [kind];
}
