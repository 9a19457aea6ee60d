/** Ends one statement that takes too long: asked first, then its session (RB-21, HB-op-33, X-35). */
import { formatAge, MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import {
  type ActContext,
  type Answer,
  DurationText,
  defineRunbook,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = { pid?: number; over: string };
type Session = Awaited<ReturnType<ReadContext<Params>["database"]["sessions"]>>[number];

const STATEMENT_SHOWN = 100;
/** A cancelled statement ends within this time, or does not hear. */
const CANCEL_MS = 10_000;
const LOOK_MS = 500;

export default defineRunbook({
  name: "kill-slow-query",
  aliases: ["slow-query"],
  title: "Ends one statement of ours that takes too long",
  danger: "D",
  params: Type.Object(
    {
      pid: Type.Optional(
        Type.Integer({
          minimum: 1,
          description: "the session's number; without it they are only listed",
        }),
      ),
      over: Type.Unsafe<string>({ ...DurationText, default: "5m" }),
    },
    { additionalProperties: false },
  ),
  positional: ["pid"],
  locks: () => ["sessions"],
  timeoutMs: 2 * MINUTE_MS,
  touches: { database: ["sessions:read", "sessions:end"] },
  guide:
    "Without a pid it lists the statements that have run for longer than `over`. With one it cancels that statement, and ends its session if it does not hear. Sessions of other programs, of backups, migrations and of the runbooks themselves are never touched.",
  plan: async ({ params, database }) => {
    const slow = await findSlow(database, params.over);
    if (params.pid === undefined)
      return { text: `${slow.length} statements of ours run for over ${params.over}`, changes: [] };
    const session = slow.find(({ pid }) => pid === params.pid);
    if (session === undefined)
      throw fault.refused(
        "NO_SLOW_QUERY",
        `pid ${params.pid} runs no statement of ours for over ${params.over}`,
        { hint: "/algobrain kill-slow-query lists those that do" },
      );
    return {
      text: inWords(session),
      changes: [`cancel the statement of pid ${params.pid}, and end its session if it goes on`],
      facts: {
        startedAt: session.startedAt.toISOString(),
        queryAt: session.queryAt?.toISOString() ?? null,
      },
    };
  },
  steps: [
    {
      name: "end the statement",
      repeat: {
        check: async (context) => ((await isStillThere(context)) ? "not-done" : "done"),
      },
      run: async (context) => {
        const { params, database } = context;
        if (params.pid === undefined) return list(context);
        const outcome = await database.endSession({ session: wanted(context), how: "cancel" });
        if (outcome === "protected")
          throw fault.refused("SESSION_PROTECTED", `pid ${params.pid} may not be ended`);
        if (outcome !== "ended")
          return `pid ${params.pid} has moved on by itself: nothing was done`;
        for (let waited = 0; waited < CANCEL_MS; waited += LOOK_MS) {
          if (!(await isStillThere(context)))
            return `the statement of pid ${params.pid} is cancelled`;
          await context.wait(LOOK_MS);
        }
        context.say("it does not hear: its session is ended");
        const ended = await endIfTheSame(context);
        return `pid ${params.pid}: ${ended}`;
      },
      undo: { never: "its program sees an error, and asks again or does not" },
    },
  ],
  verify: {
    withinMs: () => 30_000,
    everyMs: 500,
    check: async (context) => {
      const { pid } = context.params;
      if (pid === undefined) return { state: "passed", text: "listed, nothing was ended" };
      return (await isStillThere(context))
        ? { state: "waiting", text: `pid ${pid} still runs it` }
        : { state: "passed", text: `the statement of pid ${pid} is gone` };
    },
  },
  next: () => "/algobrain diagnose-db-connections",
});

type Planned = Pick<ActContext<Params>, "params" | "plan" | "database">;

function wanted({ params, plan }: Pick<Planned, "params" | "plan">) {
  const { startedAt, queryAt } = plan.facts as { startedAt: string; queryAt: string | null };
  return {
    pid: params.pid ?? 0,
    startedAt: new Date(startedAt),
    queryAt: queryAt === null ? null : new Date(queryAt),
  };
}

/** That statement of that session: another one of the same number is not it. */
async function isStillThere(
  context: Pick<Planned, "params" | "plan"> & { database: Pick<Planned["database"], "sessions"> },
): Promise<boolean> {
  if (context.params.pid === undefined) return false;
  const { pid, startedAt, queryAt } = wanted(context);
  return (await context.database.sessions()).some(
    (it) =>
      it.pid === pid &&
      it.state === "active" &&
      it.startedAt.getTime() === startedAt.getTime() &&
      it.queryAt?.getTime() === queryAt?.getTime(),
  );
}

/** Between the look and the end it may have begun another statement: then it is left. */
async function endIfTheSame(context: Planned): Promise<string> {
  if (!(await isStillThere(context))) return "the statement has ended";
  return context.database.endSession({ session: wanted(context), how: "terminate" });
}

/** Statements of ours that have run for longer than `over`, the longest first. */
async function findSlow(
  database: Pick<Planned["database"], "sessions">,
  over: string,
): Promise<readonly Session[]> {
  const overMs = parseDuration(over) ?? 0;
  return (await database.sessions()).filter(
    ({ ours, statementMs }) => ours && (statementMs ?? 0) > overMs,
  );
}

async function list({ params, database }: Planned): Promise<Answer> {
  const slow = await findSlow(database, params.over);
  return {
    text:
      slow.length === 0
        ? "there is nothing to end"
        : `to end one: /algobrain kill-slow-query ${slow[0]!.pid}`,
    table: {
      columns: ["pid", "program", "runs for", "waits for", "statement"],
      rows: slow.map((it) => [
        String(it.pid),
        it.application,
        formatAge(it.statementMs ?? 0),
        it.wait ?? "–",
        shownOf(it),
      ]),
    },
  };
}

function inWords(session: Session): string {
  const { pid, application, statementMs } = session;
  return `pid ${pid} of ${application} runs for ${formatAge(statementMs ?? 0)}: ${shownOf(session)}`;
}

function shownOf({ statement }: Session): string {
  return statement.replaceAll(/\s+/g, " ").slice(0, STATEMENT_SHOWN);
}
