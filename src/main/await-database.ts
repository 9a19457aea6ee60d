/** A worker that starts while the database is away waits for it: dying and being started again would only be noise. */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";
import type { Logger } from "../base/log.js";
import { isDatabaseAway } from "../store/database.js";

const RETRY_MS = 500;

/** Asks until there is an answer or another failure, or `ending` aborts: then the last failure is thrown. */
export async function whenDatabaseAnswers<T>(
  ask: () => Promise<T>,
  deps: { readonly clock: Clock; readonly log: Logger; readonly ending: AbortSignal },
): Promise<T> {
  const { clock, log, ending } = deps;
  let told = false;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isDatabaseAway(error) || ending.aborted) throw error;
      if (!told) log.warn("database.awaited", { error: errorMessage(error) });
      told = true;
    }
    await clock.sleep(RETRY_MS, ending);
  }
}
