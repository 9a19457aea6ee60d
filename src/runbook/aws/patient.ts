/** A call to AWS once more, when it failed in passing. For what comes to the same when it is done twice, and only that. */
import { Fault } from "../../base/fault.js";

const TRIES_MAX = 4;
const FIRST_WAIT_MS = 2_000;
const WAIT_MS_MAX = 30_000;

/** Part of every context of a runbook. */
export interface Patient {
  /** Rejects when the run has to end before. */
  wait(ms: number): Promise<void>;
  say(line: string): void;
}

/** Throws what the last try threw, and at once what another try would not change. */
export async function patiently<T>({ wait, say }: Patient, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (thrown) {
      if (tries === TRIES_MAX || !isPassing(thrown)) throw thrown;
      const waitMs = thrown.retryAfterMs ?? FIRST_WAIT_MS * 2 ** (tries - 1);
      say(`once more: ${thrown.message}`);
      await wait(Math.min(waitMs, WAIT_MS_MAX));
    }
  }
}

/** No answer, or the wish to be asked more slowly; a right that is missing does not come by waiting. */
export function isPassing(thrown: unknown): thrown is Fault {
  if (!(thrown instanceof Fault)) return false;
  return thrown.kind === "transient" || thrown.code.endsWith("_RATE_LIMITED");
}
