/** What is wrong and what to do about it: examinations that are made side by side, each with an end (RB-01). */
import { errorMessage, Fault } from "../../base/fault.js";

export interface Diagnosis {
  /** What was looked at: `database`, `branch protection`. */
  readonly what: string;
  readonly status: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do; null when nothing needs to be done. */
  readonly remedy: string | null;
}

export type Finding = Omit<Diagnosis, "what">;

export interface Examination {
  readonly what: string;
  /** What it throws is its finding, too. */
  readonly examine: (signal: AbortSignal) => Promise<Finding>;
  /** When it throws something that does not say what to do. */
  readonly remedy?: string;
}

const TIMEOUT_MS = 15_000;

export function good(found: string): Finding {
  return { status: "ok", found, remedy: null };
}

export function doubtful(found: string, remedy: string): Finding {
  return { status: "warn", found, remedy };
}

export function bad(found: string, remedy: string): Finding {
  return { status: "fail", found, remedy };
}

/** In the order of the examinations. Never rejects. */
export function diagnose(
  examinations: readonly Examination[],
  timeoutMs = TIMEOUT_MS,
): Promise<Diagnosis[]> {
  return Promise.all(
    examinations.map(async ({ what, examine, remedy }) => {
      const deadline = AbortSignal.timeout(timeoutMs);
      try {
        return { what, ...(await Promise.race([examine(deadline), ended(deadline, timeoutMs)])) };
      } catch (error) {
        return { what, ...findingOf(error, remedy) };
      }
    }),
  );
}

/** What a failure says: the fault's own hint is the remedy. */
export function findingOf(error: unknown, otherwise = "docs/errors.md tells more"): Finding {
  const hint = error instanceof Fault ? error.hint : undefined;
  return bad(errorMessage(error), hint ?? otherwise);
}

function ended(deadline: AbortSignal, timeoutMs: number): Promise<Finding> {
  return new Promise((resolve) => {
    const finding = bad(`no answer within ${timeoutMs / 1_000} s`, "look why it hangs, try again");
    deadline.addEventListener("abort", () => resolve(finding), { once: true });
  });
}
