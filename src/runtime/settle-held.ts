/** How a job that this process holds leaves it: in a batch with others where that is all there is to do, else in its turn. */
import { errorMessage } from "../base/fault.js";
import { type SettleDeps, type Settling, settleJob, settlePlain } from "./settle.js";

export interface HoldDeps extends SettleDeps {
  /** The row of a job of this kind is no longer running for us. */
  readonly onReleased: (kind: string) => void;
  /** A job can neither be settled nor failed, or a handler is deaf: the process must end, and others heal its jobs. */
  readonly onFatal: (why: string) => void;
}

/** `end` is called when its outcome is written, or never can be. */
export function settleHeld(settling: Settling, deps: HoldDeps, end: () => void): void {
  const { job } = settling.execution;
  const inTurn = () => void settleInTurn(settling, deps).then(end);
  // What an attempt has told is written before its row moves.
  if (deps.attempts.hasNews(job)) {
    inTurn();
    return;
  }
  const isOnItsWay = settlePlain(settling, deps, (error) => {
    // Once more, with patience, and with what the database refuses.
    if (error) inTurn();
    else {
      deps.onReleased(job.kind);
      end();
    }
  });
  if (!isOnItsWay) inTurn();
}

/** Never rejects. */
export async function settleInTurn(settling: Settling, deps: HoldDeps): Promise<void> {
  const { execution, outcome, durationMs } = settling;
  const { job } = execution;
  try {
    const told = deps.attempts.ended(job, outcome, durationMs);
    if (told !== undefined) await told;
    await settleJob(settling, deps);
    deps.onReleased(job.kind);
  } catch (error) {
    deps.onFatal(`${job.id} cannot be settled: ${errorMessage(error)}`);
  }
}
