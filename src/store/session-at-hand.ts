/**
 * One session of a pool stays at hand between two statements: what comes alone goes out on it at once. To ask the pool
 * for it, with a queue and three timers, took a tenth of the way from a job's enqueue to the start of its handler.
 */
import type pg from "pg";

export class SessionAtHand {
  readonly #pool: pg.Pool;
  readonly #idleMaxMs: number;
  #session: pg.PoolClient | null = null;
  /** Of the monotonic clock: at hand since then. */
  #sinceMs = 0;
  readonly #broken = new WeakSet<pg.PoolClient>();
  #isEnding = false;

  /** `idleMaxMs`: one that was not used for longer may be dead without a word (a firewall forgets it). */
  constructor(pool: pg.Pool, idleMaxMs: number, onLost: (error: Error) => void) {
    this.#pool = pool;
    this.#idleMaxMs = idleMaxMs;
    pool.on("connect", (session) =>
      session.on("error", (error) => {
        if (this.#lose(session, error)) onLost(error);
      }),
    );
  }

  /** The caller's until it is put back or released. Throws as `pg.Pool.connect` does. */
  take(): pg.PoolClient | Promise<pg.PoolClient> {
    const session = this.#session;
    if (session === null) return this.#pool.connect();
    this.#session = null;
    if (performance.now() - this.#sinceMs < this.#idleMaxMs) return session;
    session.release(true);
    return this.#pool.connect();
  }

  /** After a statement that succeeded. Whoever waits for a session goes first. */
  put(session: pg.PoolClient): void {
    const isFree = this.#session === null && this.#pool.waitingCount === 0;
    if (!isFree || this.#isEnding || this.#broken.has(session)) {
      session.release(this.#broken.has(session));
      return;
    }
    this.#session = session;
    this.#sinceMs = performance.now();
  }

  /** When all are back. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#session?.release();
    this.#session = null;
    await this.#pool.end();
  }

  /** True when it was at hand: then nobody else hears of it. An error that nobody hears ends the process. */
  #lose(session: pg.PoolClient, error: Error): boolean {
    this.#broken.add(session);
    if (this.#session !== session) return false;
    this.#session = null;
    session.release(error);
    return true;
  }
}
