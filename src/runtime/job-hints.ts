/** Listens for `algobrain_job` notifications on a connection of its own. Hints only: polling is the truth. */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import type { Database, Session } from "../store/database.js";
import { listenToJobs, probe } from "../store/notifications.js";

/** A dead connection says nothing by itself, so the listener asks it. */
const CHECK_MS = 15_000;
const RECONNECT_MS = 1_000;

export interface JobHints {
  stop(): Promise<void>;
}

export function listenForJobs(
  deps: { readonly db: Database; readonly clock: Clock; readonly log: Logger },
  onHint: (hint: string) => void,
): JobHints {
  const stopped = new AbortController();
  const listening = keepListening(deps, onHint, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      await listening;
    },
  };
}

async function keepListening(
  deps: { readonly db: Database; readonly clock: Clock; readonly log: Logger },
  onHint: (hint: string) => void,
  stopped: AbortSignal,
): Promise<void> {
  while (!stopped.aborted) {
    try {
      await deps.db.connect((session) => listen(session, deps.clock, onHint, stopped));
    } catch (error) {
      deps.log.warn("listener.lost", { error: errorMessage(error) });
      await deps.clock.sleep(RECONNECT_MS, stopped);
    }
  }
}

async function listen(
  session: Session,
  clock: Clock,
  onHint: (hint: string) => void,
  stopped: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  session.onLost(end);
  session.onNotification((_channel, payload) => onHint(payload));
  stopped.addEventListener("abort", end, { once: true });
  // It may have stopped while we were connecting.
  if (stopped.aborted) end();
  try {
    await listenToJobs(session);
    // What was enqueued while nobody listened.
    onHint("");
    while (!ended.signal.aborted) {
      await clock.sleep(CHECK_MS, ended.signal);
      if (!ended.signal.aborted) await probe(session);
    }
  } finally {
    stopped.removeEventListener("abort", end);
  }
}
