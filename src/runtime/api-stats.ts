/** The API's own speed, failures and load over the last minute, for samples (HB-met-03, HB-met-07, AM-slo-01, -03). */
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";

export interface ApiStats {
  /** Milliseconds; null without requests. */
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Share of answers with 5xx that were failures, 0–1; null without requests. */
  readonly errorRate: number | null;
  /** Those that the figures above are of, at most some thousands. */
  readonly requests: number;
  /** Requests within the last minute, all of them. */
  readonly perMinute: number;
}

interface Observed {
  readonly atMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
}

/**
 * 503s that are refusals on purpose. Were they failures, safe mode would page once more for each client that
 * keeps writing, and a stranger could page with requests to a door that nobody has opened.
 */
const ON_PURPOSE: readonly string[] = ["safe-mode", "not-configured"];

/**
 * Asked often and answered quickly, probes would hide slow and failing answers; and a 503 that reports ill
 * health is an answer.
 */
const PROBES: readonly string[] = [
  "/health",
  "/api/health",
  "/health/live",
  "/metrics",
  "/api/about/metrics/prometheus",
];

/** As long as the samples of the API speak of. */
const WINDOW_MS = MINUTE_MS;
/** Beyond this many requests in the window the oldest leave: the figure stays one of recent traffic. */
const KEPT_MAX = 10_000;

export class ApiStatsWindow {
  readonly #clock: Clock;
  readonly #load = new RequestLoad();
  #observed: Observed[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  observe(answer: {
    /** The route's pattern. */
    readonly route: string;
    readonly status: number;
    /** Code of the problem document; null when the answer was none. */
    readonly problem: string | null;
    readonly durationMs: number;
  }): void {
    const { route, status, problem, durationMs } = answer;
    if (PROBES.includes(route)) return;
    const failed = status >= 500 && !ON_PURPOSE.includes(problem ?? "");
    const atMs = this.#clock.now().getTime();
    this.#load.count(atMs);
    this.#observed.push({ atMs, durationMs, failed });
    // Trimming in halves keeps the cost of one request constant on average.
    if (this.#observed.length > 2 * KEPT_MAX) this.#observed = this.#observed.slice(-KEPT_MAX);
  }

  read(): ApiStats {
    const nowMs = this.#clock.now().getTime();
    this.#observed = this.#observed.filter(({ atMs }) => atMs > nowMs - WINDOW_MS);
    const perMinute = this.#load.perMinute(nowMs);
    const requests = this.#observed.length;
    if (requests === 0) return { p95Ms: null, p99Ms: null, errorRate: null, requests, perMinute };
    const durations = this.#observed.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    const failed = this.#observed.filter((one) => one.failed).length;
    return {
      p95Ms: nearestRank(durations, 0.95),
      p99Ms: nearestRank(durations, 0.99),
      errorRate: failed / requests,
      requests,
      perMinute,
    };
  }
}

/** A duration that was really seen. */
function nearestRank(ascending: readonly number[], share: number): number {
  return ascending[Math.ceil(ascending.length * share) - 1]!;
}

const SECOND_MS = 1_000;
const WINDOW_SECONDS = WINDOW_MS / SECOND_MS;

/** Counts by second: at a thousand requests a second nobody keeps each one of a minute. */
class RequestLoad {
  readonly #bySecond = new Map<number, number>();

  count(atMs: number): void {
    const second = Math.floor(atMs / SECOND_MS);
    this.#bySecond.set(second, (this.#bySecond.get(second) ?? 0) + 1);
    if (this.#bySecond.size > 2 * WINDOW_SECONDS) this.#forgetBefore(second);
  }

  perMinute(nowMs: number): number {
    this.#forgetBefore(Math.floor(nowMs / SECOND_MS));
    return [...this.#bySecond.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The second that has just begun and the 59 before it. */
  #forgetBefore(now: number): void {
    for (const second of this.#bySecond.keys()) {
      if (second <= now - WINDOW_SECONDS) this.#bySecond.delete(second);
    }
  }
}
