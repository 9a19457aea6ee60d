/**
 * What this process knows of the dependencies: the shared rows, read at most once a second and only when somebody
 * calls, and its own changes, written at once. With the database away its memory decides alone, and what it decided
 * is shared when the database is back.
 */
import { type Breaker, CLOSED } from "../base/breaker.js";
import type { CallStats } from "../base/call-window.js";
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Database } from "../store/database.js";
import { listDependencies, recordCalls, saveBreaker } from "../store/dependencies.js";
import { eventsOfChange, wordOfChange } from "./breaker-word.js";
import type { Emit } from "./events.js";
import type { RuntimeNotify } from "./runtime-word.js";

export interface DependencyBoardDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly emit: Emit;
  readonly notify: RuntimeNotify;
}

/** How a row names the runtime. */
const BY_ITSELF = "healdec";
const READ_EVERY_MS = 1_000;
/** How long a call waits for the database before memory decides, and how long the database is then left alone. */
const PATIENCE_MS = 2_000;
const AWAY_MS = 5_000;
/** As often as others may be faster before we go by what they wrote. */
const CONFLICTS_MAX = 5;

interface Known {
  readonly breaker: Breaker;
  /** As it is in the row; another object than `breaker` while a change is not shared yet. */
  readonly shared: Breaker;
  readonly version: number;
}

const UNKNOWN: Known = { breaker: CLOSED, shared: CLOSED, version: 0 };

export class DependencyBoard {
  readonly #deps: DependencyBoardDeps;
  #known = new Map<string, Known>();
  /** Counts what this process has changed. */
  #changes = 0;
  #reading: Promise<void> | null = null;
  #readAt = Number.NEGATIVE_INFINITY;
  #awayUntil = Number.NEGATIVE_INFINITY;

  constructor(deps: DependencyBoardDeps) {
    this.#deps = deps;
  }

  /** As it is now, at most a second old while the database answers. */
  async read(name: string): Promise<Breaker> {
    // Also when the clock was set back.
    if (Math.abs(this.#now() - this.#readAt) >= READ_EVERY_MS) await this.#refresh();
    return this.#of(name).breaker;
  }

  /**
   * Applies `change` to the newest breaker, once more each time somebody else was faster. A change that gives the
   * same object back changes nothing. Resolves with what it is then; never throws for the database.
   */
  async change(name: string, change: (breaker: Breaker) => Breaker): Promise<Breaker> {
    for (let tries = 0; tries < CONFLICTS_MAX; tries++) {
      const known = this.#of(name);
      const after = change(known.breaker);
      if (after === known.breaker) return after;
      const next = { ...known, breaker: after };
      const version = await this.#ask(() => this.#share(name, next));
      // Memory alone decides: another call of this process may have been faster.
      if (version === "away" && this.#of(name) !== known) continue;
      if (version !== null) {
        this.#keep(name, known.breaker, version === "away" ? next : sharedAs(after, version));
        return after;
      }
      await this.#refresh();
    }
    return this.#of(name).breaker;
  }

  /** Figures for people; lost when the database is away. */
  async measure(name: string, stats: CallStats): Promise<void> {
    const measured = { name, stats, by: BY_ITSELF, at: this.#deps.clock.now() };
    await this.#ask(() => recordCalls(this.#deps.db, measured));
  }

  #of(name: string): Known {
    return this.#known.get(name) ?? UNKNOWN;
  }

  #now(): number {
    return this.#deps.clock.now().getTime();
  }

  #keep(name: string, before: Breaker, next: Known): void {
    this.#known.set(name, next);
    this.#changes += 1;
    for (const event of eventsOfChange(name, before, next.breaker)) this.#deps.emit(event);
  }

  /** Whoever comes meanwhile waits for the same answer. */
  #refresh(): Promise<void> {
    this.#reading ??= this.#readRows().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readRows(): Promise<void> {
    const changes = this.#changes;
    const rows = await this.#ask(() => listDependencies(this.#deps.db));
    this.#readAt = this.#now();
    // What we wrote while the answer was on its way is newer than the answer.
    if (rows === "away" || changes !== this.#changes) return;
    const fresh = new Map(rows.map((row) => [row.name, sharedAs(row.breaker, row.version)]));
    const unshared = [...this.#known].filter(([, { breaker, shared }]) => breaker !== shared);
    this.#known = fresh;
    for (const [name, known] of unshared) {
      if (known.version === this.#of(name).version) await this.#shareLate(name, known);
    }
  }

  /** Decided while the database was away. Somebody else who was faster is read the next time. */
  async #shareLate(name: string, known: Known): Promise<void> {
    this.#known.set(name, known);
    const version = await this.#ask(() => this.#share(name, known));
    if (version === "away") return;
    this.#known.set(name, version === null ? UNKNOWN : sharedAs(known.breaker, version));
  }

  /** The word goes out with the change or not at all. */
  async #share(name: string, { breaker, shared, version }: Known): Promise<number | null> {
    const { db, clock, notify } = this.#deps;
    const change = { name, version, breaker, by: BY_ITSELF, at: clock.now() };
    const word = wordOfChange(name, shared, breaker);
    if (word === null) return saveBreaker(db, change);
    return db.transaction(async (tx) => {
      const saved = await saveBreaker(tx, change);
      if (saved !== null) await notify(tx, word);
      return saved;
    });
  }

  /** The database's answer; `away` when it fails or takes too long: then it is not asked for a while. */
  async #ask<T>(question: () => Promise<T>): Promise<T | "away"> {
    const leftMs = this.#awayUntil - this.#now();
    if (leftMs > 0 && leftMs <= AWAY_MS) return "away";
    const done = new AbortController();
    const late = this.#deps.clock.sleep(PATIENCE_MS, done.signal).then(() => "late" as const);
    try {
      const answer = await Promise.race([question(), late]);
      if (answer !== "late") return answer;
      this.#noteAway(`no answer within ${PATIENCE_MS} ms`);
    } catch (error) {
      this.#noteAway(errorMessage(error));
    } finally {
      done.abort();
    }
    return "away";
  }

  #noteAway(error: string): void {
    this.#awayUntil = this.#now() + AWAY_MS;
    this.#deps.log.warn("dependency.unshared", { error });
  }
}

function sharedAs(breaker: Breaker, version: number): Known {
  return { breaker, shared: breaker, version };
}
