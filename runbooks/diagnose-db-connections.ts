/** Who uses the connections of the database, and for what (RB-18, HB-op-31, HB-sql-13). */
import { formatAge, MINUTE_MS } from "../src/base/duration.js";
import { type Answer, defineRunbook, type ReadContext, Type } from "../src/runbook/define.js";

type Session = Awaited<ReturnType<ReadContext<object>["database"]["sessions"]>>[number];

const STATEMENTS_SHOWN = 5;
const STATEMENT_SHOWN = 100;
/** A transaction that is open for this long without doing anything holds locks and old rows. */
const IDLE_IN_TRANSACTION_MS = MINUTE_MS;
/** HB-alr: from this share of the connections on, new ones are soon refused. */
const RATIO_HIGH = 0.8;

export default defineRunbook({
  name: "diagnose-db-connections",
  aliases: ["connections"],
  title: "Shows who uses the database's connections, and what takes long",
  danger: "R",
  params: Type.Object({}, { additionalProperties: false }),
  timeoutMs: 30_000,
  touches: { database: ["sessions:read"] },
  guide:
    "Use it when requests wait for the database, or when the connection pool is exhausted. It changes nothing; its last line says what to do next.",
  plan: async () => ({ text: "look at the sessions of the database", changes: [] }),
  steps: [
    {
      name: "look at the sessions",
      repeat: "safe",
      run: async ({ database }) => {
        const [count, sessions] = await Promise.all([database.connections(), database.sessions()]);
        const usable = count.max - count.reserved;
        const ratio = count.used / usable;
        return {
          text: [
            `${count.used} of ${usable} connections are used (${Math.round(ratio * 100)} %), ${count.ours} of them by us; our pools hold up to ${count.poolSize} each`,
            ...longest(sessions).map(inWords),
            advice(ratio, sessions),
          ].join("\n"),
          table: byUse(sessions),
        };
      },
    },
  ],
});

function longest(sessions: readonly Session[]): Session[] {
  return sessions
    .filter(({ statementMs, transactionMs }) => statementMs !== null || transactionMs !== null)
    .sort((a, b) => (b.transactionMs ?? 0) - (a.transactionMs ?? 0))
    .slice(0, STATEMENTS_SHOWN);
}

function inWords(session: Session): string {
  const { pid, application, state, statementMs, transactionMs, wait, statement } = session;
  const age = formatAge(statementMs ?? transactionMs ?? 0);
  const waits = wait === null || state !== "active" ? "" : `, waits for ${wait}`;
  return `pid ${pid} of ${application === "" ? "an unnamed program" : application}: ${state ?? "?"} for ${age}${waits}: ${statement.replaceAll(/\s+/g, " ").slice(0, STATEMENT_SHOWN)}`;
}

function byUse(sessions: readonly Session[]): NonNullable<Answer["table"]> {
  const counts = new Map<string, number>();
  for (const { application, state } of sessions) {
    const key = JSON.stringify([application, state ?? "?"]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const rows = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([key, count]) => [...(JSON.parse(key) as [string, string]), String(count)]);
  return { columns: ["program", "state", "sessions"], rows };
}

function advice(ratio: number, sessions: readonly Session[]): string {
  const stuck = sessions.filter(
    ({ state, transactionMs }) =>
      state === "idle in transaction" && (transactionMs ?? 0) > IDLE_IN_TRANSACTION_MS,
  );
  if (stuck.length > 0)
    return `${stuck.length} transactions stand idle for over a minute: /algobrain relieve-db-pool ends ours`;
  if (ratio > RATIO_HIGH) return "few connections are left: /algobrain relieve-db-pool";
  return "nothing here needs to be ended";
}
