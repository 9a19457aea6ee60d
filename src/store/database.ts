/**
 * The only door to Postgres. `pg` is imported nowhere else. Store functions take a `Sql` first (a pool
 * or a transaction) and never begin a transaction themselves: the caller who decides begins it.
 */
import type pg from "pg";
import { errorMessage, Fault, fault } from "../base/fault.js";
import { Answers } from "./answers.js";
import { SessionPool } from "./pool.js";

export interface QueryResult<Row> {
  readonly rows: Row[];
  readonly rowCount: number;
}

export interface Sql {
  /**
   * One statement with `$1` parameters; with a name it is parsed once a connection, where the way to the server
   * allows it. Throws a Fault: see `toDatabaseFault`.
   */
  query<Row extends object>(
    text: string,
    values?: readonly unknown[],
    name?: string,
  ): Promise<QueryResult<Row>>;
}

export interface Database extends Sql {
  /** Commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** A connection of its own, for LISTEN, advisory session locks and cursors. */
  connect<T>(work: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Session extends Sql {
  onNotification(listen: (channel: string, payload: string) => void): void;
  onLost(lost: (error: Error) => void): void;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly poolMax: number;
  readonly applicationName: string;
  readonly ssl: boolean;
  /** Milliseconds to wait for a free connection before a transient fault `DATABASE_POOL_EXHAUSTED`. */
  readonly connectTimeoutMs?: number;
  /**
   * Milliseconds a statement may take; 0 for none. A server that cannot even say so, since it hangs or the
   * network swallows what it says, is given up after twice the time, or 5 s more; but not in a session,
   * whose owner may have asked the server for more.
   */
  readonly statementTimeoutMs?: number;
  /** Told of errors on idle connections (a server restart): never thrown. */
  readonly onIdleError?: (error: Error) => void;
  /** Told of each statement that was answered, in milliseconds from sending it; not of those in a session of its own. */
  readonly onAnswered?: (tookMs: number) => void;
}

const STATEMENT_TIMEOUT_MS = 60_000;
const SILENCE_MAX_MS = 5_000;

export function openDatabase(options: DatabaseOptions): Database {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
  const pool = new SessionPool({
    url: options.url,
    max: options.poolMax,
    applicationName: options.applicationName,
    ssl: options.ssl,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    statementTimeoutMs,
    onIdleError: (error) => options.onIdleError?.(error),
  });
  // 0 is none here too.
  const giveUpMs = statementTimeoutMs + Math.min(statementTimeoutMs, SILENCE_MAX_MS);
  const way: Way = { answers: new Answers(giveUpMs), onAnswered: options.onAnswered ?? null };
  return {
    query: (text, values, name) =>
      inFaults(() => pool.use((lent) => run(lent, toQuery(text, values, pool.nameOf(name)), way))),
    transaction: async (work) => inTransaction(await lend(pool), work, way),
    connect: async (work) => withSession(await lend(pool), work),
    close: () => pool.end(),
  };
}

/** How statements go out. */
interface Way {
  readonly answers: Answers;
  readonly onAnswered: ((tookMs: number) => void) | null;
}

const OF_A_SESSION: Way = { answers: new Answers(0), onAnswered: null };

async function inFaults<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseFault(error);
  }
}

function lend(pool: SessionPool): Promise<pg.PoolClient> {
  return inFaults(() => pool.lend());
}

function toQuery(text: string, values: readonly unknown[] = [], name?: string): pg.QueryConfig {
  return name === undefined ? { text, values: [...values] } : { text, values: [...values], name };
}

async function run<Row extends object>(
  session: pg.PoolClient,
  query: pg.QueryConfig,
  { answers, onAnswered }: Way,
): Promise<QueryResult<Row>> {
  const sentMs = onAnswered === null ? 0 : performance.now();
  const result = await answers.to<pg.QueryResult<Row>>((answer) => session.query(query, answer));
  onAnswered?.(performance.now() - sentMs);
  return toResult(result);
}

/** A text of several statements gives a list of results; nobody asks for their rows. */
function toResult<Row extends object>(result: pg.QueryResult<Row>): QueryResult<Row> {
  return { rows: result.rows ?? [], rowCount: result.rowCount ?? 0 };
}

async function inTransaction<T>(
  client: pg.PoolClient,
  work: (tx: Sql) => Promise<T>,
  way: Way,
): Promise<T> {
  let broken: Error | undefined;
  const noteError = (error: Error) => {
    broken = error;
  };
  client.on("error", noteError);
  const tx: Sql = {
    query: (text, values) => inFaults(() => run(client, toQuery(text, values), way)),
  };
  try {
    await tx.query("BEGIN");
    const value = await work(tx);
    await tx.query("COMMIT");
    return value;
  } catch (error) {
    await tx.query("ROLLBACK").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    // A broken connection may say so once more, and an error that nobody hears ends the process.
    if (!broken) client.off("error", noteError);
    client.release(broken);
  }
}

async function withSession<T>(
  client: pg.PoolClient,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const lostListeners: ((error: Error) => void)[] = [];
  const noteLost = (error: Error) => {
    for (const listener of lostListeners) listener(error);
  };
  client.on("error", noteLost);
  try {
    return await work({
      query: (text, values) => inFaults(() => run(client, toQuery(text, values), OF_A_SESSION)),
      onNotification: (listen) =>
        client.on("notification", ({ channel, payload }) => listen(channel, payload ?? "")),
      onLost: (lost) => lostListeners.push(lost),
    });
  } finally {
    client.removeAllListeners("notification");
    lostListeners.length = 0;
    // A session may hold LISTEN and locks: it never goes back to the pool. Its error listener stays: the
    // connection may break while it ends, and an error that nobody hears ends the process.
    client.release(true);
  }
}

/** SQLSTATE classes that pass by themselves: connection loss, shutdown, serialization, deadlock, resources, our own pause. */
const TRANSIENT = /^(08|53|57P|40001|40P01|55P03|25006|25P03)/;

/**
 * A pg error as a Fault: transient `DATABASE_POOL_EXHAUSTED` and `DATABASE_UNAVAILABLE` pass by themselves;
 * `DATABASE_ERROR` (a broken constraint, a wrong statement) carries its SQLSTATE for the few who expect it.
 */
export function toDatabaseFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const message = errorMessage(error);
  const state = (error as { code?: unknown }).code;
  const code = typeof state === "string" ? state : "";
  if (message.includes("timeout exceeded when trying to connect")) {
    return fault.transient("DATABASE_POOL_EXHAUSTED", "connection pool exhausted", {
      cause: error,
      hint: "more callers than DATABASE_POOL_SIZE: wait, or see the runbook relieve-db-pool",
    });
  }
  const passes =
    TRANSIENT.test(code) ||
    /^E[A-Z]+$/.test(code) ||
    /Connection terminated|not queryable|timeout/i.test(message);
  return fault.transient(
    passes ? "DATABASE_UNAVAILABLE" : "DATABASE_ERROR",
    `database: ${message}`,
    { cause: error, details: { sqlstate: /^[0-9A-Z]{5}$/.test(code) ? code : null } },
  );
}

/** SQLSTATE classes of what is wrong with a value: too many rows for one, data, a constraint, a size, a check of our own. */
const OF_VALUE = /^(21|22|23|54|P0)/;

/**
 * The value was refused, by the server or before it was sent: asking again gives the same answer. Not so when the server
 * could not write, does not let us, or has another schema for the moment: that is no fault of the value.
 */
export function isStatementRefused(error: unknown): boolean {
  if (!(error instanceof Fault)) return true;
  if (error.code !== "DATABASE_ERROR") return false;
  const { sqlstate } = error.details;
  return typeof sqlstate !== "string" || OF_VALUE.test(sqlstate);
}

/** Nobody answers, or nobody has a session for us: it passes by itself, and nothing is wrong with the statement. */
export function isDatabaseAway(error: unknown): boolean {
  return (
    error instanceof Fault &&
    (error.code === "DATABASE_UNAVAILABLE" || error.code === "DATABASE_POOL_EXHAUSTED")
  );
}
