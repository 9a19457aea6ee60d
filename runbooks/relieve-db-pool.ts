/** Gives connections back when they run out: evidence, idle transactions, idle sessions, less work (RB-20, X-12, X-58). */
import { MINUTE_MS, parseDuration } from "../src/base/duration.js";
import {
  DurationText,
  defineRunbook,
  isIdleSession,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = { idle: string; lower: boolean };
type Session = Awaited<ReturnType<ReadContext<Params>["database"]["sessions"]>>[number];

const IDLE_IN_TRANSACTION_MS = MINUTE_MS;
/** Work that may wait while live work has no connection. */
const LOW_PRIORITY_KINDS: readonly string[] = ["backfill", "export", "maintenance"];
const PAUSE_MS = 15 * MINUTE_MS;
const RATIO_GOOD = 0.8;

export default defineRunbook({
  name: "relieve-db-pool",
  aliases: ["relieve"],
  title: "Frees database connections that nobody uses, and lets work that can wait do so",
  danger: "V",
  params: Type.Object(
    {
      idle: Type.Unsafe<string>({ ...DurationText, default: "10m" }),
      lower: Type.Boolean({
        default: true,
        description: "false: no kind of job is paused",
      }),
    },
    { additionalProperties: false },
  ),
  locks: () => ["sessions", ...LOW_PRIORITY_KINDS.map((kind) => `queue-${kind}`)],
  targetsMax: 1 + LOW_PRIORITY_KINDS.length,
  timeoutMs: 5 * MINUTE_MS,
  touches: { database: ["jobs:read", "sessions:read", "sessions:end", "queues:pause"] },
  // While connections still run out, the work that it paused must not come back by itself.
  undoOnFailure: "asked",
  guide:
    "Use it when connections run out (DATABASE_POOL_EXHAUSTED, or few are left). It restarts nothing. A larger pool or a replica is a change in Git, which it names at its end.",
  plan: async (context) => {
    const { params, database, runtime } = context;
    const [count, sessions, pauses] = await Promise.all([
      database.connections(),
      database.sessions(),
      runtime.pauses(),
    ]);
    const stuck = sessions.filter(isStuck);
    const idle = sessions.filter((it) => isIdleSession(it, parseDuration(params.idle) ?? 0));
    const isPaused = (kind: string) => pauses.some((it) => it.kind === kind || it.kind === "all");
    const pause = params.lower ? LOW_PRIORITY_KINDS.filter((kind) => !isPaused(kind)) : [];
    return {
      text: `${count.used} of ${count.max - count.reserved} connections are used; of ours ${stuck.length} stand idle in a transaction for over a minute, ${idle.length} are idle for over ${params.idle}`,
      changes: [
        "end our sessions that stand idle in a transaction for over a minute",
        `end our sessions that are idle for over ${params.idle}`,
        ...pause.map((kind) => `pause ${kind} for 15 minutes`),
      ],
      // Not which sessions: they come and go while people make up their minds. The rule is what they agree to.
      facts: { pause },
    };
  },
  steps: [
    {
      name: "end idle transactions",
      repeat: "safe",
      run: (context) => endAll(context, isStuck),
      undo: { never: "a session that was ended is opened again by its own program" },
    },
    {
      name: "end idle sessions",
      repeat: "safe",
      run: (context) => {
        const idleMs = parseDuration(context.params.idle) ?? 0;
        return endAll(context, (it) => isIdleSession(it, idleMs));
      },
      undo: { never: "a session that was ended is opened again by its own program" },
    },
    {
      name: "let work that can wait do so",
      repeat: "safe",
      run: async ({ plan, runtime, runId }) => {
        const kinds = (plan.facts?.pause ?? []) as readonly string[];
        for (const kind of kinds)
          await runtime.pauseQueue({
            kind,
            reason: `${runId}: connections run out`,
            forMs: PAUSE_MS,
          });
        return kinds.length === 0
          ? "nothing was paused"
          : `paused for 15 minutes: ${kinds.join(", ")}`;
      },
      undo: {
        name: "resume what it paused",
        repeat: "safe",
        run: async ({ plan, runtime, runId }) => {
          const kinds = (plan.facts?.pause ?? []) as readonly string[];
          for (const kind of kinds)
            await runtime.resumeQueue({ kind, reason: `taken back by ${runId}` });
          return kinds.length === 0 ? "nothing was paused" : `resumed ${kinds.join(", ")}`;
        },
      },
    },
    {
      name: "say what would help for good",
      repeat: "safe",
      run: async ({ database }) => {
        const { poolSize } = await database.connections();
        return `the pools hold up to ${poolSize} each: algobrain policy change infrastructure.database.poolSize=N opens the pull request that changes it (policy check knows what the server can take)`;
      },
      undo: { never: "it only said something" },
    },
  ],
  verify: {
    withinMs: () => 2 * MINUTE_MS,
    everyMs: 1_000,
    check: async ({ database }) => {
      const { used, max, reserved } = await database.connections();
      const ratio = used / (max - reserved);
      const text = `${used} of ${max - reserved} connections are used (${Math.round(ratio * 100)} %)`;
      return { state: ratio < RATIO_GOOD ? "passed" : "waiting", text };
    },
  },
  next: () => "/algobrain diagnose-db-connections",
});

function isStuck({ ours, state, transactionMs }: Session): boolean {
  return ours && state === "idle in transaction" && (transactionMs ?? 0) > IDLE_IN_TRANSACTION_MS;
}

interface Ending {
  readonly database: {
    sessions(): Promise<readonly Session[]>;
    endSession(request: { session: Session; how: "terminate" }): Promise<string>;
  };
}

/** The database ends one only if it is still the one that was looked at. */
async function endAll(
  { database }: Ending,
  isMeant: (session: Session) => boolean,
): Promise<string> {
  const meant = (await database.sessions()).filter(isMeant);
  let ended = 0;
  for (const session of meant)
    if ((await database.endSession({ session, how: "terminate" })) === "ended") ended += 1;
  return `${ended} of ${meant.length} sessions were ended`;
}
