/** Work that needs GitHub within one request: how long it may take, and what its caller hears when it could not be done. */
import { Fault } from "../base/fault.js";
import { HttpProblem } from "./problem.js";

/** Below the deadline of a request, so that the caller hears what happened. */
export const GITHUB_MS = 25_000;
const RETRY_AFTER_S = 30;

/** What GitHub, or the guard before it, could not do just now. All else is told as it is. */
export function asUnavailable(error: unknown): unknown {
  if (!(error instanceof Fault) || error.kind === "refused") return error;
  if (!/^(GITHUB_|BREAKER_OPEN$|DEPENDENCY_GATED$)/.test(error.code)) return error;
  const hint = error.hint === undefined ? "" : `; ${error.hint}`;
  return new HttpProblem("github-unavailable", `${error.message}${hint}`, {
    retryAfterS: (error.retryAfterMs ?? RETRY_AFTER_S * 1_000) / 1_000,
    cause: error,
  });
}
