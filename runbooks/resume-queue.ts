/** Starts jobs of a paused kind again (RB-35, HB-op-46). */
import { DAY_MS } from "../src/base/duration.js";
import { defineRunbook, PUBLIC_KINDS, Type } from "../src/runbook/define.js";

export default defineRunbook({
  name: "resume-queue",
  aliases: ["resume"],
  title: "Starts jobs of a paused kind, or of all, again",
  danger: "V",
  params: Type.Object(
    {
      kind: Type.String({ enum: [...PUBLIC_KINDS, "all"], description: "a kind of job, or all" }),
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "resumed by hand",
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["kind", "reason"],
  locks: ({ kind }) => kindsOf(kind).map((it) => `queue-${it}`),
  timeoutMs: 60_000,
  targetsMax: PUBLIC_KINDS.length,
  touches: { database: ["jobs:read", "queues:pause"] },
  // What stands still for another reason is not helped by one more pause.
  undoOnFailure: "asked",
  guide: "See why it was paused before you resume it: the plan says who paused it, and the reason.",
  plan: async ({ params, runtime }) => {
    const pauses = await runtime.pauses();
    const ours = pauses.filter((it) => queuesOf(params.kind).includes(it.kind));
    const ofAll = pauses.find((it) => it.kind === "all");
    if (ours.length === 0 && ofAll)
      return { text: `${params.kind} has no pause of its own: ${describe(ofAll)}`, changes: [] };
    if (ours.length === 0) return { text: `${params.kind} is not paused`, changes: [] };
    return {
      text: ours.map(describe).join("\n"),
      changes: ours.map((it) => `resume ${it.kind}`),
      facts: {
        paused: ours.map(({ kind, reason, expiresAt }) => ({
          kind,
          reason,
          expiresAt: expiresAt?.toISOString() ?? null,
        })),
      },
    };
  },
  steps: [
    {
      name: "resume",
      repeat: "safe",
      run: async ({ params, runtime }) => {
        const resumed: string[] = [];
        for (const kind of queuesOf(params.kind))
          if (await runtime.resumeQueue({ kind, reason: params.reason })) resumed.push(kind);
        return resumed.length > 0 ? `resumed ${resumed.join(", ")}` : `nothing was paused`;
      },
      undo: {
        name: "pause again what was paused, for the time that was left",
        repeat: "safe",
        run: async ({ runtime, plan, now }) => {
          const paused = (plan.facts?.paused ?? []) as unknown as readonly WasPaused[];
          for (const { kind, reason, expiresAt } of paused) {
            const forMs = expiresAt === null ? FOREVER_MS : Date.parse(expiresAt) - now().getTime();
            if (forMs > 0) await runtime.pauseQueue({ kind, reason, forMs });
          }
          return paused.length === 0
            ? "nothing was paused"
            : `paused again: ${paused.map(({ kind }) => kind).join(", ")}`;
        },
      },
    },
  ],
  verify: {
    withinMs: () => 5_000,
    everyMs: 500,
    check: async ({ params, runtime }) => {
      const pauses = await runtime.pauses();
      const ofAll = pauses.find((it) => it.kind === "all");
      if (ofAll && params.kind !== "all")
        return { state: "failed", text: `${params.kind} stands still: ${describe(ofAll)}` };
      const still = pauses.filter((it) => queuesOf(params.kind).includes(it.kind));
      return still.length === 0
        ? { state: "passed", text: `${params.kind} is not paused any more` }
        : { state: "waiting", text: `still paused: ${still.map((it) => it.kind).join(", ")}` };
    },
  },
  next: () => "/algobrain queue-depth",
});

interface WasPaused {
  readonly kind: string;
  readonly reason: string;
  readonly expiresAt: string | null;
}

/** A pause by a runbook ends by itself; one without an end comes back for as long as the longest. */
const FOREVER_MS = 30 * DAY_MS;

/** A pause of all is a pause of its own. */
function queuesOf(kind: string): string[] {
  return kind === "all" ? ["all", ...PUBLIC_KINDS] : [kind];
}

function describe(pause: { kind: string; pausedBy: string; reason: string }): string {
  return `${pause.kind} was paused by ${pause.pausedBy}: ${pause.reason}`;
}

function kindsOf(kind: string): string[] {
  return kind === "all" ? [...PUBLIC_KINDS] : [kind];
}
