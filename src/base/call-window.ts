/** The calls of the last while, and whether they are a reason to stop calling (AL-api-04). */
import type { BreakerRules } from "./breaker.js";

export interface CallStats {
  readonly calls: number;
  /** 0–1; null without calls. */
  readonly successRate: number | null;
  /** Milliseconds within which 95 of 100 calls ended; null without calls. */
  readonly p95Ms: number | null;
}

interface Call {
  readonly atMs: number;
  readonly well: boolean;
  readonly durationMs: number;
}

/** Beyond this many calls in the window the oldest leave: the figure stays one of recent calls. */
const KEPT_MAX = 500;
/** Of fewer calls the slowest alone would be the 95th percentile. */
const P95_CALLS_MIN = 20;

export class CallWindow {
  #calls: Call[] = [];

  add(call: { readonly at: Date; readonly well: boolean; readonly durationMs: number }): void {
    const { at, well, durationMs } = call;
    this.#calls.push({ atMs: at.getTime(), well, durationMs });
    if (this.#calls.length > KEPT_MAX) this.#calls.shift();
  }

  /** After a breaker has closed, what opened it is history. */
  clear(): void {
    this.#calls = [];
  }

  stats(rules: BreakerRules, now: Date): CallStats {
    const since = now.getTime() - rules.windowMs;
    this.#calls = this.#calls.filter(({ atMs }) => atMs > since);
    const calls = this.#calls.length;
    if (calls === 0) return { calls, successRate: null, p95Ms: null };
    const durations = this.#calls.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    return {
      calls,
      successRate: this.#calls.filter(({ well }) => well).length / calls,
      p95Ms: durations[Math.ceil(calls * 0.95) - 1]!,
    };
  }
}

/** Why a breaker should open, in one clause; null when it should not. */
export function reasonToOpen(stats: CallStats, rules: BreakerRules): string | null {
  const { calls, successRate, p95Ms } = stats;
  if (calls < rules.callsMin || successRate === null || p95Ms === null) return null;
  if (successRate < rules.successRateMin) {
    return `${Math.round((1 - successRate) * calls)} of ${calls} calls failed`;
  }
  if (calls < P95_CALLS_MIN || p95Ms <= rules.p95MaxMs) return null;
  return `95 of 100 calls take up to ${Math.round(p95Ms)} ms`;
}
