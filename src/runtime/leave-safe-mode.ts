/** The way out of safe mode: a person, with a reason, after checks of the data, audited (HB-heal-06, X-13). */
import type { Database } from "../store/database.js";
import { type BrokenInvariant, findBrokenInvariants } from "../store/invariants.js";
import { exitSafeMode, readSafeMode } from "../store/safe-mode.js";
import type { Emit } from "./events.js";
import { type RuntimeNotify, type RuntimeWord, SAFE_MODE_KEY } from "./runtime-word.js";

export interface LeaveSafeModeDeps {
  readonly db: Database;
  readonly notify: RuntimeNotify;
  readonly emit: Emit;
}

export interface LeaveSafeModeRequest {
  /** Who leaves it: `api:ada`. */
  readonly by: string;
  readonly reason: string;
  /** Leave in spite of checks that fail; the audit names them. */
  readonly force: boolean;
}

export type LeaveSafeModeOutcome =
  | { readonly outcome: "left" | "was-off" }
  /** The data is not whole: nothing was changed. */
  | { readonly outcome: "checks-failed"; readonly broken: readonly BrokenInvariant[] };

export async function leaveSafeMode(
  { db, notify, emit }: LeaveSafeModeDeps,
  { by, reason, force }: LeaveSafeModeRequest,
): Promise<LeaveSafeModeOutcome> {
  if (!(await readSafeMode(db)).active) return { outcome: "was-off" };
  const broken = await findBrokenInvariants(db);
  if (broken.length > 0 && !force) return { outcome: "checks-failed", broken };
  const overruled = broken.map(({ invariant }) => invariant);
  const left = await db.transaction(async (tx) => {
    if (!(await exitSafeMode(tx, { by, reason, overruled }))) return false;
    // Whoever was paged learns that it is over; an incident left open would swallow the next page.
    await notify(tx, wordOfExit(by, reason));
    return true;
  });
  if (left) emit({ event: "safe-mode.left", by, reason });
  return { outcome: left ? "left" : "was-off" };
}

function wordOfExit(by: string, reason: string): RuntimeWord {
  return {
    audience: "critical",
    severity: "sev1",
    action: "resolve",
    key: SAFE_MODE_KEY,
    place: "safe-mode",
    message: {
      tone: "good",
      title: `Safe mode is off: ${by} ended it`,
      fields: [{ label: "Why", value: reason }],
    },
    details: { by, reason },
  };
}
