/**
 * Listens for `algobrain_job` notifications on a session of its own. Hints only: polling is the truth. Each
 * while it tells itself something: a dead connection says nothing by itself, and behind a pooler that lends
 * sessions by transaction nothing is ever heard, though every statement succeeds.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Database, Session } from "../store/database.js";
import { listenToJobs, tell } from "../store/notifications.js";

/** Sessions that the listener opens beside the pool: HB-env-02 bounds all together. */
export const LISTENER_CONNECTIONS = 1;

const CHECK_MS = 15_000;
const PROOF_MAX_MS = 2_000;
const RECONNECT_MS = 1_000;
const DEAF_HINT = "set DATABASE_DIRECT_URL past the pooler; until then jobs wait for the next poll";
/** Whoever cannot hear will not hear soon. */
const DEAF_RETRY_MS = 60_000;

export interface JobHintsDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface JobHints {
  /** True while hints arrive: then polls may be far apart. */
  hears(): boolean;
  stop(): Promise<void>;
}

export function listenForJobs(deps: JobHintsDeps, onHint: (hint: string) => void): JobHints {
  const listener = new JobListener(deps, onHint);
  const listening = listener.run();
  return {
    hears: () => listener.hears,
    stop: async () => {
      listener.stopped.abort();
      await listening;
    },
  };
}

class JobListener {
  readonly stopped = new AbortController();
  hears = false;
  readonly #deps: JobHintsDeps;
  readonly #onHint: (hint: string) => void;

  constructor(deps: JobHintsDeps, onHint: (hint: string) => void) {
    this.#deps = deps;
    this.#onHint = onHint;
  }

  async run(): Promise<void> {
    const { db, clock, log } = this.#deps;
    while (!this.stopped.signal.aborted) {
      let retryMs = RECONNECT_MS;
      try {
        await db.connect((session) => this.#listen(session));
        if (!this.stopped.signal.aborted) retryMs = DEAF_RETRY_MS;
      } catch (error) {
        log.warn("listener.lost", { error: errorMessage(error) });
      }
      this.hears = false;
      await clock.sleep(retryMs, this.stopped.signal);
    }
  }

  /** Until it is stopped or hears nothing any more; throws when the connection breaks. */
  async #listen(session: Session): Promise<void> {
    const broken = new Promise<never>((_resolve, reject) => session.onLost(reject));
    await Promise.race([broken, this.#hear(session)]);
  }

  async #hear(session: Session): Promise<void> {
    const { clock, log } = this.#deps;
    const own = `algobrain_${randomUUID()}`;
    let arrived = new AbortController();
    session.onNotification((channel, payload) => {
      if (channel === own) arrived.abort();
      else this.#onHint(payload);
    });
    await listenToJobs(session, own);
    // What was enqueued while nobody listened.
    this.#onHint("");
    const { signal: stopped } = this.stopped;
    while (!stopped.aborted) {
      arrived = new AbortController();
      await tell(session, own);
      await clock.sleep(PROOF_MAX_MS, AbortSignal.any([arrived.signal, stopped]));
      this.hears = arrived.signal.aborted;
      if (!this.hears && !stopped.aborted) return log.warn("listener.deaf", { hint: DEAF_HINT });
      await clock.sleep(CHECK_MS, stopped);
    }
  }
}
