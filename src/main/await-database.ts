/**
 * What starts while the database is away, as in a failover, waits for it: to die and to be started again would only
 * be noise, and a door that is gone tells balancers and people nothing.
 */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import { isDatabaseAway } from "../store/database.js";

const RETRY_MS = 500;
/** Between two lines that say that it still waits. */
const SAY_MS = 5_000;

export interface Waiting {
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is waited for any more. */
  readonly ending: AbortSignal;
  /** Default: as long as it takes. */
  readonly limitMs?: number;
  /** At the first failure, before it is asked again. */
  readonly onAway?: () => Promise<void>;
}

/** Asks until there is an answer, another failure, the limit or the end: then the last failure is thrown. */
export async function whenDatabaseAnswers<T>(ask: () => Promise<T>, deps: Waiting): Promise<T> {
  const { clock, log, ending, limitMs = Number.POSITIVE_INFINITY } = deps;
  const startedMs = clock.now().getTime();
  let saidMs: number | null = null;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const nowMs = clock.now().getTime();
      const isOver = ending.aborted || nowMs - startedMs >= limitMs;
      if (!isDatabaseAway(error) || isOver) throw error;
      if (saidMs === null) await deps.onAway?.();
      if (saidMs === null || nowMs - saidMs >= SAY_MS) {
        log.warn("database.awaited", { error: errorMessage(error) });
        saidMs = nowMs;
      }
    }
    await clock.sleep(RETRY_MS, ending);
  }
}
