/**
 * All that one simulated process has of the world: its clock and its database. Through it the process can be
 * killed (nothing reaches it and nothing of it goes out any more), frozen and thawed, and its statements
 * delivered twice or left without an answer.
 */
import { type Clock, systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { Database, QueryResult, Session, Sql } from "../../src/store/database.js";

/** Undone by the server like everything of a process whose connection broke. */
class Killed extends Error {}

let made = 0;

export class Gate {
  /** One of its own, like a process id. */
  readonly number = ++made;
  readonly clock: Clock;
  readonly db: Database;
  offsetMs = 0;
  /** How many of the next statements are delivered twice, or carried out without an answer. */
  twice = 0;
  unanswered = 0;
  dead = false;
  readonly died: Promise<void>;
  #die: () => void = () => {};
  #frozen: Promise<void> | null = null;
  #thaw: () => void = () => {};

  constructor(db: Database) {
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
    this.clock = {
      now: () => new Date(systemClock.now().getTime() + this.offsetMs),
      sleep: (ms, signal) => systemClock.sleep(ms, signal).then(() => this.pass()),
    };
    this.db = this.#wrap(db);
  }

  kill(): void {
    this.dead = true;
    this.#die();
    this.thaw();
  }

  freeze(): void {
    this.#frozen ??= new Promise((resolve) => {
      this.#thaw = resolve;
    });
  }

  thaw(): void {
    this.#frozen = null;
    this.#thaw();
  }

  /** The simulated process rests; time is what is simulated here. */
  rest(ms: number, signal?: AbortSignal): Promise<void> {
    return this.clock.sleep(ms, signal);
  }

  /** Resolves when the process runs: never again for a dead one. */
  async pass(): Promise<void> {
    while (this.#frozen !== null) await this.#frozen;
    if (this.dead) await new Promise(() => {});
  }

  #wrap(db: Database): Database {
    return {
      query: (text, values) => this.#send(db, text, values),
      transaction: (work) =>
        this.#through(db.transaction((tx) => this.#untilDeath(work(this.#gated(tx))))),
      connect: (work) =>
        this.#through(db.connect((session) => this.#untilDeath(work(this.#listening(session))))),
      // The connections belong to the simulation.
      close: async () => {},
    };
  }

  #gated(sql: Sql): Sql {
    return { query: (text, values) => this.#through(sql.query(text, values)) };
  }

  #listening(session: Session): Session {
    return {
      ...this.#gated(session),
      onNotification: (listen) => {
        session.onNotification((channel, payload) => {
          void this.pass().then(() => listen(channel, payload));
        });
      },
      onLost: (lost) => session.onLost((error) => void this.pass().then(() => lost(error))),
    };
  }

  /** The answer waits at the gate, be it good or bad. */
  async #through<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      await this.pass();
    }
  }

  /** A dead process holds neither locks nor connections. */
  #untilDeath<T>(work: Promise<T>): Promise<T> {
    const killed = this.died.then(() => Promise.reject(new Killed("killed")));
    return Promise.race([work, killed]);
  }

  async #send<Row extends object>(
    db: Database,
    text: string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    await this.pass();
    const answer = await this.#through(db.query<Row>(text, values));
    if (/^\s*select/i.test(text)) return answer;
    if (this.twice > 0) {
      this.twice -= 1;
      return this.#through(db.query<Row>(text, values));
    }
    if (this.unanswered > 0) {
      this.unanswered -= 1;
      throw fault.transient("DATABASE_UNAVAILABLE", "database: Connection terminated unexpectedly");
    }
    return answer;
  }
}
