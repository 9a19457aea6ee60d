/** Ends sessions of ours that do nothing, a few at a time (RB-22, HB-op-34, X-35). */
import { MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import {
  DurationText,
  defineRunbook,
  isIdleSession,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Session = Awaited<ReturnType<ReadContext<object>["database"]["sessions"]>>[number];

/** So many at once, and then a pause: their programs open new ones when they need them. */
const BATCH = 10;
const BETWEEN_MS = 1_000;

interface Named {
  readonly pid: number;
  readonly startedAt: string;
}

export default defineRunbook({
  name: "kill-idle-connections",
  aliases: ["idle"],
  title: "Ends sessions of ours that have done nothing for a while",
  danger: "D",
  params: Type.Object(
    {
      idle: Type.Unsafe<string>({ ...DurationText, default: "10m" }),
      limit: Type.Integer({
        minimum: 1,
        maximum: 500,
        default: 50,
        description: "sessions at most, from 1 to 500",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["idle"],
  locks: () => ["sessions"],
  timeoutMs: 5 * MINUTE_MS,
  touches: { database: ["sessions:read", "sessions:end"] },
  guide:
    "Use it when connections run out and many are idle. A session in a transaction is never touched here, nor one of another program: see relieve-db-pool for those that stand idle in a transaction.",
  plan: async ({ params, database }) => {
    const idleMs = parseDuration(params.idle) ?? 0;
    const idle = (await database.sessions()).filter((it) => isIdleSession(it, idleMs));
    if (idle.length === 0)
      throw fault.refused("NO_IDLE_SESSIONS", `no session of ours is idle for over ${params.idle}`);
    const { used } = await database.connections();
    return {
      text: `${idle.length} sessions of ours are idle for over ${params.idle}; ${used} connections are used`,
      // Not which ones: they come and go while people make up their minds. The rule is what they agree to.
      changes: [
        `end sessions of ours that are idle for over ${params.idle}, ${params.limit} at most, ${BATCH} a second`,
      ],
    };
  },
  steps: [
    {
      name: "end them",
      repeat: "safe",
      run: async ({ database, params, say, wait }) => {
        const idleMs = parseDuration(params.idle) ?? 0;
        const ended: Named[] = [];
        for (let left: number = params.limit; left > 0; left -= BATCH) {
          const idle = (await database.sessions()).filter((it) => isIdleSession(it, idleMs));
          if (idle.length === 0) break;
          for (const session of idle.slice(0, Math.min(BATCH, left))) {
            // One that was used between the look and the end is another to the database, and is left.
            const outcome = await database.endSession({ session, how: "terminate" });
            if (outcome === "ended") ended.push(named(session));
          }
          say(`${ended.length} ended so far`);
          await wait(BETWEEN_MS);
        }
        return {
          text: `${ended.length} idle sessions were ended`,
          value: ended.map((it) => ({ ...it })),
        };
      },
      undo: { never: "a session that was ended is opened again by its own program" },
    },
  ],
  verify: {
    withinMs: () => MINUTE_MS,
    everyMs: 500,
    check: async ({ resultOf, database, runtime }) => {
      const ended = (resultOf("end them") ?? []) as unknown as readonly Named[];
      const still = (await database.sessions()).filter((it) => ended.some((one) => isThe(one, it)));
      if (still.length > 0)
        return { state: "waiting", text: `${still.length} of them are still there` };
      const { used } = await database.connections();
      return {
        state: "passed",
        text: `none of them is left; ${used} connections are used, ${await runtime.liveWorkers()} worker processes live`,
      };
    },
  },
  next: () => "/algobrain diagnose-db-connections",
});

function named({ pid, startedAt }: Session): Named {
  return { pid, startedAt: startedAt.toISOString() };
}

function isThe({ pid, startedAt }: Named, session: Session): boolean {
  return session.pid === pid && session.startedAt.toISOString() === startedAt;
}
