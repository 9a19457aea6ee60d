/**
 * A pool of sessions with our settings; and without them where a pooler that lends a session for one
 * transaction stands in between (PgBouncer in transaction mode): it refuses start-up parameters that it
 * does not know, and a prepared statement may be asked of a server that never saw it.
 */
import pg from "pg";
import { SessionAtHand } from "./session-at-hand.js";

export interface PoolOptions {
  readonly url: string;
  readonly max: number;
  readonly applicationName: string;
  readonly ssl: boolean;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly onIdleError: (error: Error) => void;
}

const BIGINT = 20;
const NUMERIC = 1700;
const BIGINT_ARRAY = 1016;

const parseBigints = pg.types.getTypeParser(BIGINT_ARRAY as number, "text");
const toNumber = (text: string | null) => (text === null ? null : Number(text));

// bigint columns are keys and counts far below 2^53: numbers, not strings, alone and in lists.
const NUMBERS = new Map<number, (text: string) => unknown>([
  [BIGINT, Number],
  [NUMERIC, Number],
  [BIGINT_ARRAY, (text) => parseBigints(text).map(toNumber)],
]);

/** Asked for each column of each statement. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    NUMBERS.get(oid) ?? pg.types.getTypeParser(oid, format as "text"),
};

/** A process that is frozen in the midst of a transaction holds its locks, also those that every claim needs. */
const IDLE_TRANSACTION_MAX_MS = 5_000;
/** Longer than the pause between two rounds of samples, which take several at once: a session costs more to open than to keep. */
const IDLE_SESSION_MS = 60_000;
/** A prepared statement that this server does not know, or knows from somebody else. */
const FOREIGN_STATEMENT = new Set(["26000", "42P05"]);

export class SessionPool {
  readonly #options: PoolOptions;
  #sessions: SessionAtHand;
  #namesStatements = true;
  #isEnding = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sessions = open(options, OURS(options));
  }

  /** A session for one piece of work, which is run again, once, when only a pooler was in the way. */
  async use<T>(work: (session: pg.PoolClient) => Promise<T>): Promise<T> {
    const sessions = this.#sessions;
    try {
      return await useOne(sessions, work);
    } catch (error) {
      if (!this.#stepBack(sessions, error)) throw error;
      return useOne(this.#sessions, work);
    }
  }

  /** A session that the caller releases. */
  async lend(): Promise<pg.PoolClient> {
    const sessions = this.#sessions;
    try {
      return await sessions.take();
    } catch (error) {
      if (!this.#stepBack(sessions, error)) throw error;
      return this.#sessions.take();
    }
  }

  /** The name to prepare a statement under; undefined: not at all. */
  nameOf(name: string | undefined): string | undefined {
    return this.#namesStatements ? name : undefined;
  }

  end(): Promise<void> {
    this.#isEnding = true;
    return this.#sessions.end();
  }

  /** True when it is worth another try. */
  #stepBack(tried: SessionAtHand, error: unknown): boolean {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (typeof code === "string" && FOREIGN_STATEMENT.has(code)) {
      this.#namesStatements = false;
      return true;
    }
    // Nobody would end what is opened after the end.
    if (this.#isEnding || !String(message).includes("unsupported startup parameter")) return false;
    this.#namesStatements = false;
    if (tried === this.#sessions) {
      this.#sessions = open(this.#options, {});
      void tried.end();
    }
    return true;
  }
}

/** A session that something failed on is not used again: nobody knows what state it is in. */
async function useOne<T>(
  sessions: SessionAtHand,
  work: (session: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const taken = sessions.take();
  // One that is at hand is used in this turn.
  const session = taken instanceof Promise ? await taken : taken;
  try {
    const value = await work(session);
    sessions.put(session);
    return value;
  } catch (error) {
    session.release(true);
    throw error;
  }
}

const OURS = (options: PoolOptions): pg.PoolConfig => ({
  statement_timeout: options.statementTimeoutMs,
  idle_in_transaction_session_timeout: IDLE_TRANSACTION_MAX_MS,
  options: "-c search_path=public,control",
});

function open(options: PoolOptions, settings: pg.PoolConfig): SessionAtHand {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max,
    application_name: options.applicationName,
    ssl: options.ssl ? { rejectUnauthorized: true } : false,
    connectionTimeoutMillis: options.connectTimeoutMs,
    idleTimeoutMillis: IDLE_SESSION_MS,
    types,
    ...settings,
  });
  pool.on("error", (error) => options.onIdleError(error));
  return new SessionAtHand(pool, IDLE_SESSION_MS, (error) => options.onIdleError(error));
}
