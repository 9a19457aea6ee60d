/**
 * When a dependency is called and when it is left alone: closed, open, half open, and the gate that it closes itself
 * by naming a time (X-16, AL-api-04…06). A value and functions of it: time is an argument, and whoever keeps the
 * value shares it.
 */
export const BREAKER_STATES = ["closed", "open", "half_open"] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

export interface BreakerRules {
  /** Milliseconds of calls that are judged together. */
  readonly windowMs: number;
  /** Fewer calls than these say nothing. */
  readonly callsMin: number;
  /** Share of calls, 0–1: with less the breaker opens. */
  readonly successRateMin: number;
  /** Milliseconds within which 95 of 100 calls are answered: with more the breaker opens. */
  readonly p95MaxMs: number;
  /** Milliseconds until an open breaker lets probes through, and until a half open one gets its tokens back. */
  readonly openMs: number;
  /** Tokens: calls that a half open breaker lets through, over all processes. */
  readonly probes: number;
  /** Probes that must find the dependency well. */
  readonly closeAfter: number;
  /** Milliseconds; a dependency that names a later time is asked again all the same. */
  readonly gateMaxMs: number;
}

/** AL-env-02: three tokens, refilled every 30 s. */
export const BREAKER_DEFAULTS: BreakerRules = {
  windowMs: 60_000,
  callsMin: 5,
  successRateMin: 0.5,
  p95MaxMs: 8_000,
  openMs: 30_000,
  probes: 3,
  closeAfter: 2,
  gateMaxMs: 3_600_000,
};

/** By then most probes have been answered. */
const PROBED_WITHIN_MS = 5_000;

export interface Breaker {
  readonly state: BreakerState;
  /** Open: when probes may begin. Half open: when the tokens come back, as a prober may have died. Closed: null. */
  readonly nextAt: Date | null;
  /** Probes that may still begin; only a half open breaker counts them. */
  readonly tokens: number;
  /** Probes that found the dependency well. */
  readonly successes: number;
  /** The dependency asked not to be called before this time; null or past: no such wish. */
  readonly gateUntil: Date | null;
  /** Why it is not closed, in one clause. */
  readonly reason: string | null;
}

export const CLOSED: Breaker = {
  state: "closed",
  nextAt: null,
  tokens: 0,
  successes: 0,
  gateUntil: null,
  reason: null,
};

export type Admission =
  | { readonly verdict: "call" }
  /** Only once `next` is kept: it has one token less. */
  | { readonly verdict: "probe"; readonly next: Breaker }
  | { readonly verdict: "refuse"; readonly by: "gate" | "breaker"; readonly until: Date };

export function admit(breaker: Breaker, rules: BreakerRules, now: Date): Admission {
  const { state, gateUntil, nextAt, tokens } = breaker;
  if (gateUntil && gateUntil > now) return { verdict: "refuse", by: "gate", until: gateUntil };
  if (state === "closed") return { verdict: "call" };
  if (state === "half_open" && tokens > 0) {
    return { verdict: "probe", next: { ...breaker, tokens: tokens - 1 } };
  }
  if (nextAt && nextAt > now)
    return { verdict: "refuse", by: "breaker", until: soonest(breaker, nextAt, now) };
  const next = { ...halfOpen(breaker, rules, now), tokens: rules.probes - 1 };
  return { verdict: "probe", next };
}

/** Probes that are out answer soon; who only waits for their tokens need not wait for all of that time. */
function soonest({ state }: Breaker, nextAt: Date, now: Date): Date {
  if (state === "open") return nextAt;
  return new Date(Math.min(nextAt.getTime(), now.getTime() + PROBED_WITHIN_MS));
}

/** What a call said about the health of the dependency: `unknown` when it was our own stop, or a request to slow down. */
export interface Finding {
  readonly health: "well" | "ill" | "unknown";
  /** How it was let through: as any other, with a token, or past the breaker because it is a page. */
  readonly as: "call" | "probe" | "page";
}

/** The breaker after a call; the same object when nothing changes. `trip` is why the window says that it should open. */
export function settle(
  breaker: Breaker,
  finding: Finding,
  trip: string | null,
  rules: BreakerRules,
  now: Date,
): Breaker {
  const { state } = breaker;
  const { health, as } = finding;
  if (state === "closed") return trip === null ? breaker : open(breaker, trip, rules.openMs, now);
  // It began before the breaker opened: what it says is known already.
  if (as === "call") return breaker;
  if (health === "unknown") return as === "probe" ? withTokenBack(breaker, rules) : breaker;
  if (health === "well") {
    return succeeded(state === "open" ? halfOpen(breaker, rules, now) : breaker, rules);
  }
  if (state === "open") return breaker;
  return open(breaker, breaker.reason ?? "a probe failed", rules.openMs, now);
}

export function open(breaker: Breaker, reason: string, forMs: number, now: Date): Breaker {
  const nextAt = new Date(now.getTime() + forMs);
  return { ...breaker, state: "open", nextAt, tokens: 0, successes: 0, reason };
}

/** Closes the gate until then, never sooner than it is closed already; the same object when that changes nothing. */
export function closeGate(breaker: Breaker, until: Date, rules: BreakerRules, now: Date): Breaker {
  const latest = now.getTime() + rules.gateMaxMs;
  const gateUntil = new Date(Math.min(until.getTime(), latest));
  if (gateUntil <= now || (breaker.gateUntil && breaker.gateUntil >= gateUntil)) return breaker;
  return { ...breaker, gateUntil };
}

function halfOpen(breaker: Breaker, rules: BreakerRules, now: Date): Breaker {
  const nextAt = new Date(now.getTime() + rules.openMs);
  // Tokens that were lost do not undo what other probes have found.
  const successes = breaker.state === "half_open" ? breaker.successes : 0;
  return { ...breaker, state: "half_open", nextAt, tokens: rules.probes, successes };
}

function succeeded(breaker: Breaker, rules: BreakerRules): Breaker {
  const successes = breaker.successes + 1;
  if (successes >= rules.closeAfter) return { ...CLOSED, gateUntil: breaker.gateUntil };
  // An honest probe proves more than its one token: whoever waits may probe at once.
  return { ...breaker, successes, tokens: Math.max(breaker.tokens, 1) };
}

function withTokenBack(breaker: Breaker, rules: BreakerRules): Breaker {
  if (breaker.state !== "half_open") return breaker;
  return { ...breaker, tokens: Math.min(breaker.tokens + 1, rules.probes) };
}
