/** What a job cannot go on without is asked for until the database answers: nothing of it is guessed meanwhile. */
import type { Clock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";

export interface InsistDeps {
  readonly clock: Clock;
  /** Something cannot be read or written now, and waits. */
  readonly onSettleFailed: (error: string) => void;
}

const RETRY_MS = 250;

/** Rejects only with an error that is final. */
export async function insist<T>(
  ask: () => Promise<T>,
  { clock, onSettleFailed }: InsistDeps,
  isFinal: (error: unknown) => boolean,
): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (isFinal(error)) throw error;
      onSettleFailed(errorMessage(error));
      await clock.sleep(RETRY_MS);
    }
  }
}
