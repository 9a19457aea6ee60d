/** Runs failed jobs again: a first batch that is watched, then the rest (RB-28, HB-op-18, X-03). */
import { formatDuration, MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import {
  type ActContext,
  type Answer,
  DurationText,
  defineRunbook,
  PUBLIC_KINDS,
  Type,
} from "../src/runbook/define.js";

/** So many go first: when most of them fail again, the cause still stands, and the rest stays where it is. */
const FIRST = 50;
const FIRST_WATCHED_MS = 5 * MINUTE_MS;
/** Of those that ended. */
const FAILED_SHARE_MAX = 0.5;
/** Too few to tell. */
const ENDED_MIN = 5;
/** What then still waits is told, and does not make the run a failure. */
const WATCHED_MS = 5 * MINUTE_MS;
const FAILED_SHARE_GOOD = 0.2;

type Params = { kind?: string; window: string; limit: number; per_minute: number; reason: string };
interface Rerun {
  readonly seqs: readonly number[];
  readonly at: string;
}

export default defineRunbook({
  name: "rerun-failed-jobs",
  aliases: ["rerun-failed"],
  title: "Runs failed jobs again: some first, the rest when those do well",
  danger: "V",
  params: Type.Object(
    {
      kind: Type.Optional(
        Type.String({ enum: [...PUBLIC_KINDS], description: "a kind of job; default: all kinds" }),
      ),
      window: Type.Unsafe<string>({ ...DurationText, default: "24h" }),
      limit: Type.Integer({
        minimum: 1,
        maximum: 5_000,
        default: 500,
        description: "jobs at most; when more match, nothing is done",
      }),
      per_minute: Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: 100,
        description: "jobs that begin in a minute",
      }),
      reason: Type.String({
        minLength: 1,
        maxLength: 500,
        default: "the cause of the failures is gone",
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["kind", "window"],
  locks: ({ kind }) => [kind === undefined ? "queues" : `queue-${kind}`],
  timeoutMs: 90 * MINUTE_MS,
  touches: { database: ["jobs:read", "jobs:retry", "jobs:cancel"] },
  // Half of the jobs may be at work by then: taking the others back is for a person to say.
  undoOnFailure: "asked",
  guide:
    "Use it when the cause of many failures is gone. It starts 50 jobs, looks for five minutes how they do, and goes on only when most of them do not fail again.",
  plan: async ({ params, runtime, now }) => {
    const sinceMs = parseDuration(params.window) ?? 0;
    const { matching, byError, token } = await runtime.countFailed({
      kind: params.kind ?? null,
      sinceMs,
    });
    const ofWhat = `${params.kind ?? "all kinds"} that failed within ${params.window}`;
    if (matching === 0) throw fault.refused("NO_FAILED_JOBS", `there is no job of ${ofWhat}`);
    if (matching > params.limit)
      throw fault.refused(
        "TOO_MANY_JOBS",
        `${matching} jobs of ${ofWhat} match, and the limit is ${params.limit}`,
        { hint: "name a kind, a shorter window, or a larger limit" },
      );
    const pace = formatDuration(Math.ceil(matching / params.per_minute) * MINUTE_MS);
    return {
      text: [
        `${matching} jobs of ${ofWhat}:`,
        ...byError.map(({ error, count }) => `${count} × ${error}`),
      ].join("\n"),
      changes: [
        `set ${Math.min(FIRST, matching)} of them to pending and watch how they do`,
        ...(matching > FIRST ? [`then the other ${matching - FIRST}, within about ${pace}`] : []),
      ],
      facts: { token, matching, sinceAt: now().getTime() - sinceMs },
    };
  },
  steps: [
    {
      name: "run the first ones again",
      repeat: {
        check: ({ params, runtime, now, plan }) => isUntouched(params, runtime, now, plan),
      },
      run: (context) => rerun(context, 0, FIRST),
      undo: {
        name: "cancel those of the first that have not begun",
        repeat: "safe",
        run: (context) => cancelUnbegun(context, toRerun(context.done)),
      },
    },
    {
      name: "watch how they do",
      repeat: "safe",
      run: async (context) => {
        const { seqs } = toRerun(context.resultOf("run the first ones again"));
        const began = context.now().getTime();
        for (;;) {
          const { ended, failed, text } = await standing(context, seqs);
          if (ended >= Math.min(ENDED_MIN, seqs.length) && failed / ended > FAILED_SHARE_MAX)
            throw fault.data("FAILED_AGAIN", `most fail again, so the rest was left: ${text}`);
          if (ended === seqs.length || context.now().getTime() - began > FIRST_WATCHED_MS)
            return text;
          context.say(text);
          await context.wait(2_000);
        }
      },
      undo: { never: "it only looked" },
    },
    {
      name: "run the rest again",
      // What went before is known by number: what is left has not been touched.
      repeat: "never",
      run: async (context) => {
        const first = toRerun(context.resultOf("run the first ones again"));
        const matching = Number(context.plan.facts?.matching);
        if (matching <= first.seqs.length) return { text: "there is no rest", value: first.at };
        return rerun(context, first.seqs.at(-1) ?? 0, matching - first.seqs.length);
      },
      undo: {
        name: "cancel those of the rest that have not begun",
        repeat: "safe",
        run: (context) => cancelUnbegun(context, toRerun(context.done)),
      },
    },
  ],
  verify: {
    withinMs: ({ limit, per_minute: pace }) =>
      WATCHED_MS + Math.ceil(limit / pace) * MINUTE_MS + MINUTE_MS,
    everyMs: 2_000,
    check: async (context) => {
      const first = toRerun(context.resultOf("run the first ones again"));
      const rest = toRerun(context.resultOf("run the rest again"));
      const seqs = [...first.seqs, ...rest.seqs];
      const { ended, failed, text } = await standing(context, seqs);
      if (ended >= ENDED_MIN && failed / ended > FAILED_SHARE_MAX) return { state: "failed", text };
      const lastAt = new Date(rest.at || first.at).getTime();
      const isOver = context.now().getTime() - lastAt > WATCHED_MS;
      if (ended < seqs.length && !isOver) return { state: "waiting", text };
      const isGood = ended > 0 && failed / ended <= FAILED_SHARE_GOOD;
      return { state: isGood ? "passed" : "failed", text };
    },
  },
  next: ({ kind }) => `/algobrain list-quarantine${kind === undefined ? "" : ` kind=${kind}`}`,
});

function toRerun(value: unknown): Rerun {
  const { seqs = [], at = "" } = (value ?? {}) as Partial<Rerun>;
  return { seqs, at };
}

type Context = ActContext<Params>;

async function rerun(context: Context, afterSeq: number, max: number): Promise<Answer> {
  const { params, runtime, plan, now } = context;
  const { acted, stopped, seqs } = await runtime.rerunFailed({
    ...{ kind: params.kind ?? null, token: String(plan.facts?.token), afterSeq, max },
    ...{ spacingMs: MINUTE_MS / params.per_minute, reason: params.reason },
  });
  if (stopped === "grown")
    throw fault.data(
      "MORE_FAILED",
      `more jobs failed since the plan was made, so ${acted} were run again and no more: ask again`,
    );
  const lastAt = now().getTime() + (acted * MINUTE_MS) / params.per_minute;
  return {
    text: `${acted} jobs are pending, ${params.per_minute} a minute`,
    value: { seqs: [...seqs], at: new Date(lastAt).toISOString() },
  };
}

/** As many match as in the plan: nothing was done. Fewer: some were, and which is not known. */
async function isUntouched(
  params: Params,
  runtime: Pick<Context["runtime"], "countFailed">,
  now: () => Date,
  plan: Context["plan"],
): Promise<"not-done" | "unknown"> {
  const sinceMs = now().getTime() - Number(plan.facts?.sinceAt);
  const { matching } = await runtime.countFailed({ kind: params.kind ?? null, sinceMs });
  return matching >= Number(plan.facts?.matching) ? "not-done" : "unknown";
}

async function standing(
  { runtime }: { runtime: Pick<Context["runtime"], "statusesOf"> },
  seqs: readonly number[],
) {
  const of = await runtime.statusesOf(seqs);
  const failed = (of.failed ?? 0) + (of.quarantined ?? 0);
  const completed = of.completed ?? 0;
  const waiting = (of.pending ?? 0) + (of.running ?? 0);
  const text = `of ${seqs.length}: ${completed} completed, ${failed} failed again, ${waiting} still wait or run`;
  return { ended: completed + failed, failed, text };
}

async function cancelUnbegun({ runtime, runId }: Context, { seqs }: Rerun): Promise<string> {
  let cancelled = 0;
  for (const seq of seqs) {
    const job = await runtime.job(seq);
    if (job?.status !== "pending" || job.attempts > 0) continue;
    await runtime.cancelJob({ seq, reason: `taken back by ${runId}` });
    cancelled += 1;
  }
  return `${cancelled} of ${seqs.length} had not begun and are cancelled`;
}
