/** Sessions of the database server as runbooks see and end them: what may be ended, the database decides. */
import type {
  ConnectionCount,
  DatabaseReader,
  DatabaseWriter,
  EndedSession,
  SessionView,
} from "../runbook/database-port.js";
import type { Database, Sql } from "./database.js";

/** The oldest statement first. */
const SESSIONS = `
SELECT pid, started AS "startedAt", query_at AS "queryAt", application, state, state_ms::float8 AS "stateMs",
  statement_ms::float8 AS "statementMs", transaction_ms::float8 AS "transactionMs", wait, statement, ours
FROM control.list_sessions() ORDER BY statement_ms DESC NULLS LAST, state_ms DESC NULLS LAST, pid`;

/**
 * All users of the server share its connections, and some are kept for those who may do everything. Counted by
 * database: of the sessions of others, a run's role does not even see what they are.
 */
const CONNECTIONS = `
SELECT current_setting('max_connections')::int AS max,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
  (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database) AS used,
  (SELECT count(*)::int FROM control.list_sessions() WHERE ours) AS ours`;

export function createSessionReader(
  sql: Sql,
  options: { readonly poolSize: () => number },
): Pick<DatabaseReader, "sessions" | "connections"> {
  return {
    sessions: async () => (await sql.query<SessionView>(SESSIONS)).rows,
    connections: async () => {
      const { rows } = await sql.query<Omit<ConnectionCount, "poolSize">>(CONNECTIONS);
      return { ...rows[0]!, poolSize: options.poolSize() };
    },
  };
}

export function createSessionWriter(db: Database): Pick<DatabaseWriter, "endSession"> {
  return {
    endSession: async ({ session: { pid, startedAt, queryAt }, how }) => {
      const { rows } = await db.query<{ outcome: EndedSession }>(
        "SELECT control.end_session($1, $2, $3, $4) AS outcome",
        [pid, startedAt, queryAt, how],
      );
      return rows[0]!.outcome;
    },
  };
}
