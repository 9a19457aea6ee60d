/**
 * A queue grows faster than it is worked off (RB-87, HB-alr-05, BQ-pat-01): collect evidence first, then
 * release what holds the jobs back, as far as that is safe without a person, and watch whether it helped.
 */
import { DAY_MS, formatAge, formatDuration, MINUTE_MS } from "../src/base/duration.js";
import { defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

/** Work that may wait while live work has a backlog. */
const LOW_PRIORITY_KINDS: readonly string[] = ["backfill", "export", "maintenance"];
/** Long enough for a backlog to drain, short enough that nobody has to remember it. */
const PAUSE_MS = 30 * MINUTE_MS;
/** Share of all waiting jobs from which on a queue is the backlog. */
const MOST = 0.5;
/** A depth at or below this share of what it was is falling, and not just between two arrivals. */
const FALLEN = 0.9;
/** Healing actions that are read to find the kinds that fail. */
const FAILURES_MAX = 100;
const FAILURE_WINDOW_MS = 15 * MINUTE_MS;

/** A pause without an end comes back for as long as the longest. */
const FOREVER_MS = 30 * DAY_MS;

interface Findings {
  readonly resume: readonly string[];
  /** Those that are resumed, as they were. */
  readonly paused: readonly WasPaused[];
  readonly pause: readonly string[];
}

/** Times are ISO 8601, so that they can be kept with the plan. */
interface WasPaused {
  readonly kind: string;
  readonly reason: string;
  readonly expiresAt: string | null;
}

export default defineRunbook({
  name: "respond-queue-backlog",
  aliases: ["backlog"],
  title: "Finds out why jobs pile up, releases what is safe to release, and watches the depth",
  danger: "V",
  params: Type.Object(
    {
      threshold: Type.Integer({
        minimum: 0,
        default: 1000,
        description: "the number of waiting jobs that is no backlog any more",
      }),
      resume: Type.Boolean({
        default: false,
        description: "true if a queue that automation paused may be resumed",
      }),
      within: Type.Integer({
        minimum: 5,
        maximum: 900,
        default: 300,
        description: "seconds for the depth to fall, from 5 to 900",
      }),
    },
    { additionalProperties: false },
  ),
  locks: () => ["queues"],
  timeoutMs: 20 * MINUTE_MS,
  touches: { database: ["jobs:read", "queues:pause"] },
  // That the depth did not fall is no reason to stop what lets it fall: what was paused ends by itself.
  undoOnFailure: "asked",
  guide:
    "Automation starts it when the queue is too deep, and a person may. It never resumes what a person paused, and never leaves safe mode. When the depth does not fall, look at `/algobrain healdec-report`: jobs that fail come back and fill the queue.",
  plan: async (context) => {
    const diagnosis = await diagnose(context);
    const { findings } = diagnosis;
    return {
      text: diagnosis.text.join("\n"),
      changes: [
        ...findings.resume.map((kind) => `resume ${kind}`),
        ...findings.pause.map((kind) => `pause ${kind} for ${formatDuration(PAUSE_MS)}`),
      ],
      // Without the depth: it moves each second, and people agree to what would be done.
      facts: {
        ...{ resume: [...findings.resume], pause: [...findings.pause] },
        paused: findings.paused.map((pause) => ({ ...pause })),
      },
    };
  },
  steps: [
    {
      name: "collect evidence",
      repeat: "safe",
      run: async ({ runtime, shell }) => {
        const disk = await shell.read(["df", "-P", "/"]);
        const failing = await failingKinds(runtime);
        const queues = (await runtime.queues()).filter((it) => it.pending + it.running > 0);
        const pending = queues.reduce((sum, it) => sum + it.pending, 0);
        return {
          value: { pending },
          text: [
            failing.length === 0 ? "no kind fails" : `failing: ${failing.join(", ")}`,
            `disk ${diskUse(disk.stdout)}`,
          ].join("; "),
          table: {
            columns: ["kind", "pending", "running", "failed"],
            rows: queues.map((it) => [it.kind, `${it.pending}`, `${it.running}`, `${it.failed}`]),
          },
        };
      },
      undo: { never: "it only looked" },
    },
    {
      name: "release what holds jobs back",
      repeat: "safe",
      run: async ({ plan, runtime, runId }) => {
        const { resume } = plan.facts as unknown as Findings;
        for (const kind of resume)
          await runtime.resumeQueue({ kind, reason: `${runId}: it holds the backlog` });
        return resume.length === 0 ? "nothing to resume" : `resumed ${resume.join(", ")}`;
      },
      undo: {
        name: "pause again what was paused, for the time that was left",
        repeat: "safe",
        run: async ({ plan, runtime, now }) => {
          const { paused } = plan.facts as unknown as Findings;
          const again: string[] = [];
          for (const { kind, reason, expiresAt } of paused) {
            const forMs = expiresAt === null ? FOREVER_MS : Date.parse(expiresAt) - now().getTime();
            if (forMs <= 0) continue;
            await runtime.pauseQueue({ kind, reason, forMs });
            again.push(kind);
          }
          return again.length === 0 ? "nothing to pause" : `paused again: ${again.join(", ")}`;
        },
      },
    },
    {
      name: "make room for live work",
      repeat: "safe",
      run: async ({ plan, runtime, runId }) => {
        const { pause } = plan.facts as unknown as Findings;
        for (const kind of pause)
          await runtime.pauseQueue({ kind, reason: `${runId}: live work first`, forMs: PAUSE_MS });
        if (pause.length === 0) return "nothing to pause";
        return `paused ${pause.join(", ")} for ${formatDuration(PAUSE_MS)}`;
      },
      undo: {
        name: "resume what gave way",
        repeat: "safe",
        run: async ({ plan, runtime, runId }) => {
          const { pause } = plan.facts as unknown as Findings;
          for (const kind of pause)
            await runtime.resumeQueue({ kind, reason: `taken back by ${runId}` });
          return pause.length === 0 ? "nothing to resume" : `resumed ${pause.join(", ")}`;
        },
      },
    },
  ],
  verify: {
    withinMs: ({ within }) => within * 1_000,
    everyMs: 500,
    check: async ({ params, plan, runtime, resultOf }) => {
      const { pending: before } = resultOf("collect evidence") as { pending: number };
      const { resume, pause } = plan.facts as unknown as Findings;
      const pending = (await runtime.queues()).reduce((sum, it) => sum + it.pending, 0);
      const hasActed = resume.length + pause.length > 0;
      if (pending <= params.threshold && (pending < before || !hasActed))
        return {
          state: "passed",
          text: `${pending} jobs wait: no backlog above ${params.threshold}`,
        };
      if (pending <= before * FALLEN)
        return {
          state: "passed",
          text: `the depth falls: from ${before} to ${pending} waiting jobs`,
        };
      return { state: "waiting", text: `${pending} jobs still wait, ${before} at the start` };
    },
  },
  next: () => "/algobrain queue-depth, then /algobrain healdec-report",
});

type Context = ReadContext<{ resume: boolean }>;

/** What is found, in sentences, and what may be done about it. */
async function diagnose({ params, runtime }: Context) {
  const [queues, pauses, workers, safeMode, failing] = await Promise.all([
    runtime.queues(),
    runtime.pauses(),
    runtime.liveWorkers(),
    runtime.safeMode(),
    failingKinds(runtime),
  ]);
  const pending = queues.reduce((sum, it) => sum + it.pending, 0);
  const oldestMs = Math.max(0, ...queues.map((it) => it.oldestPendingMs ?? 0));
  const deepest = [...queues].sort((a, b) => b.pending - a.pending)[0];
  const text = [
    `${pending} jobs wait, the oldest for ${formatAge(oldestMs)}; most are ${deepest?.kind}: ${deepest?.pending}`,
    workers === 0
      ? "no live worker process: nothing drains, look at the service workers"
      : `${workers} live worker processes`,
    ...(safeMode.active
      ? [
          `safe mode is on (${safeMode.reason}): only a person may leave it, and nothing drains until then`,
        ]
      : []),
    ...(failing.length > 0 ? [`failing in the last 15 minutes: ${failing.join(", ")}`] : []),
  ];
  const paused: WasPaused[] = [];
  for (const pause of pauses) {
    const own = queues.find((it) => it.kind === pause.kind)?.pending ?? 0;
    const waiting = pause.kind === "all" ? pending : own;
    if (pending === 0 || waiting / pending < MOST) continue;
    const verdict = judgePause(pause.pausedBy, params.resume);
    text.push(
      `${pause.kind} holds ${waiting} of ${pending} and is paused by ${pause.pausedBy} (${pause.reason}): ${verdict.text}`,
    );
    const { kind, reason, expiresAt } = pause;
    if (verdict.mayResume)
      paused.push({ kind, reason, expiresAt: expiresAt?.toISOString() ?? null });
  }
  const pause = kindsToPause(queues, pauses, pending);
  const findings: Findings = { resume: paused.map(({ kind }) => kind), paused, pause };
  return { text, findings };
}

/** A person who paused a queue had a reason that no automation knows. */
function judgePause(pausedBy: string, allowed: boolean): { mayResume: boolean; text: string } {
  const byAutomation = /^(service|policy|gameday)\b/.test(pausedBy);
  if (!byAutomation)
    return {
      mayResume: false,
      text: "a person did it, so a person must resume it (/algobrain resume-queue)",
    };
  if (!allowed) return { mayResume: false, text: "resuming needs the parameter resume=true" };
  return { mayResume: true, text: "automation did it, so it is resumed" };
}

/** Low-priority work gives way only where it takes room from live work that waits. */
function kindsToPause(
  queues: readonly { kind: string; pending: number; running: number }[],
  pauses: readonly { kind: string }[],
  pending: number,
): string[] {
  const paused = new Set(pauses.map((it) => it.kind));
  if (paused.has("all")) return [];
  const low = queues.filter((it) => LOW_PRIORITY_KINDS.includes(it.kind));
  const lowPending = low.reduce((sum, it) => sum + it.pending, 0);
  const livePending = pending - lowPending;
  if (pending === 0 || livePending / pending < MOST) return [];
  return low
    .filter((it) => it.pending + it.running > 0 && !paused.has(it.kind))
    .map((it) => it.kind);
}

async function failingKinds(runtime: Context["runtime"]): Promise<string[]> {
  const actions = await runtime.healing({ sinceMs: FAILURE_WINDOW_MS, limit: FAILURES_MAX });
  const counts = new Map<string, number>();
  for (const { kind, failureType } of actions) {
    const name = `${kind ?? "unknown"} (${failureType})`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `${name} ×${count}`);
}

/** The column `Capacity` of `df -P`, or that it could not be read. */
function diskUse(output: string): string {
  return /\s(\d+%)\s/.exec(output.split("\n")[1] ?? "")?.[1] ?? "unknown";
}
