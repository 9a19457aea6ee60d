/** What is left of GitHub's limit of requests, as its last answer said (HB-op-32, HB-wrk-14). */

import type { HostBudget } from "../review/port.js";

/** Remembers the newest; what has begun anew since says nothing of now. */
export class GitHubBudget {
  #seen: HostBudget | null = null;

  readonly note = (seen: HostBudget): void => {
    if (seen.limit > 0) this.#seen = seen;
  };

  /** In [0, 1]; null: GitHub was not asked, or not since its limit began anew. */
  remaining(now: Date): number | null {
    if (this.#seen === null || now >= this.#seen.resetAt) return null;
    return Math.min(1, Math.max(0, this.#seen.remaining / this.#seen.limit));
  }
}
