/** Exponential delay with jitter. Randomness is an argument, so that a table can test it. */
export interface BackoffPolicy {
  /** Delay of attempt n is `base · 2^n`: with 1000 ms, attempts 1, 2, 3 wait about 2, 4, 8 s (HB-heal-08). */
  readonly baseMs: number;
  readonly capMs: number;
  /** Share of the delay that may be added or taken away: 0.1 is ±10 %. */
  readonly jitter: number;
}

/** Delay in milliseconds before attempt `attempt + 1`; `random` is in [0, 1). */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: number): number {
  const exponent = Math.min(Math.max(attempt, 0), 40);
  const plainMs = Math.min(policy.baseMs * 2 ** exponent, policy.capMs);
  return Math.round(plainMs * (1 + policy.jitter * (2 * random - 1)));
}
