/**
 * GitHub's limits as a stand-in keeps them (docs.github.com/rest, "Rate limits for the REST API"): so many requests a
 * window, and refusals in each of the ways that GitHub has. It writes down when each request came.
 */
import { problem } from "./github-answers.js";
import type { LoopbackAnswer } from "./loopback.js";

export interface StandInLimits {
  /** Requests in a window; default 5,000. */
  readonly perWindow?: number;
  /** Milliseconds; default an hour. Whole seconds, as the headers have them. */
  readonly windowMs?: number;
}

/** How one is refused: 403 with the window used up, 429 with a time, 403 of a secondary limit with a time or without. */
export type RefusalKind = "primary" | "retry-after" | "secondary" | "secondary-with-time";

export interface SeenRequest {
  readonly atMs: number;
  readonly request: string;
  readonly status: number;
  /** Until when it was refused; null: it was not. */
  readonly refusedUntilMs: number | null;
}

const WINDOW_MS = 3_600_000;
const PER_WINDOW = 5_000;
const PRIMARY = "API rate limit exceeded for installation ID 7.";
const SECONDARY =
  "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";

export class StandInGitHubLimits {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #now: () => Date;
  readonly #seen: SeenRequest[] = [];
  #used = 0;
  #resetMs = 0;
  #refuseUntilMs = Number.NEGATIVE_INFINITY;
  #refusal: RefusalKind = "primary";

  constructor({ perWindow = PER_WINDOW, windowMs = WINDOW_MS }: StandInLimits, now: () => Date) {
    this.#limit = perWindow;
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /** In the order they came. */
  get seen(): readonly SeenRequest[] {
    return this.#seen;
  }

  get remaining(): number {
    this.#renew();
    return Math.max(0, this.#limit - this.#used);
  }

  /** Somebody else used so many of the same limit. */
  use(requests: number): void {
    this.#renew();
    this.#used += requests;
  }

  /** Refuses everybody for so long. `secondary` names no time, and ends all the same. */
  refuse(kind: RefusalKind, forMs: number): void {
    this.#refusal = kind;
    this.#refuseUntilMs = this.#now().getTime() + forMs;
  }

  /** What `work` answers, or a refusal; with the headers that every answer of GitHub's has. */
  pass(request: string, work: () => LoopbackAnswer): LoopbackAnswer {
    this.#renew();
    const refused = this.#refused();
    const answer = refused?.answer ?? this.#counted(work());
    const refusedUntilMs = refused?.untilMs ?? null;
    const { status } = answer;
    this.#seen.push({ atMs: this.#now().getTime(), request, status, refusedUntilMs });
    return { ...answer, headers: { ...this.#headers(), ...answer.headers } };
  }

  /** Not modified is not counted ("Use conditional requests if appropriate"). */
  #counted(answer: LoopbackAnswer): LoopbackAnswer {
    if (answer.status !== 304) this.#used += 1;
    return answer;
  }

  #renew(): void {
    const nowMs = this.#now().getTime();
    if (nowMs < this.#resetMs) return;
    this.#used = 0;
    // On a whole second, since that is all that the header can say.
    this.#resetMs = Math.ceil((nowMs + this.#windowMs) / 1_000) * 1_000;
  }

  #refused(): { readonly answer: LoopbackAnswer; readonly untilMs: number } | null {
    const leftMs = this.#refuseUntilMs - this.#now().getTime();
    if (leftMs > 0) return { answer: this.#refusalNow(leftMs), untilMs: this.#refuseUntilMs };
    if (this.#used < this.#limit) return null;
    return { answer: problem(403, PRIMARY), untilMs: this.#resetMs };
  }

  #refusalNow(leftMs: number): LoopbackAnswer {
    const seconds = String(Math.ceil(leftMs / 1_000));
    const headers = { "retry-after": seconds };
    if (this.#refusal === "retry-after") return { ...problem(429, SECONDARY), headers };
    if (this.#refusal === "secondary") return problem(403, SECONDARY);
    if (this.#refusal === "secondary-with-time") return { ...problem(403, SECONDARY), headers };
    const reset = Math.ceil(this.#refuseUntilMs / 1_000);
    return {
      ...problem(403, PRIMARY),
      headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(reset) },
    };
  }

  #headers(): Readonly<Record<string, string>> {
    const nowMs = this.#now().getTime();
    return {
      date: new Date(nowMs).toUTCString(),
      "x-ratelimit-limit": String(this.#limit),
      "x-ratelimit-remaining": String(Math.max(0, this.#limit - this.#used)),
      "x-ratelimit-used": String(this.#used),
      "x-ratelimit-reset": String(this.#resetMs / 1_000),
      "x-ratelimit-resource": "core",
    };
  }
}
