/** The API's own speed and failures over the last minutes, for samples (HB-met-03, HB-met-07). */
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";

export interface ApiStats {
  /** Milliseconds; null without requests. */
  readonly p95Ms: number | null;
  /** Share of answers with 5xx that were failures, 0–1; null without requests. */
  readonly errorRate: number | null;
  readonly requests: number;
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
    this.#observed.push({ atMs: this.#clock.now().getTime(), durationMs, failed });
    // Trimming in halves keeps the cost of one request constant on average.
    if (this.#observed.length > 2 * KEPT_MAX) this.#observed = this.#observed.slice(-KEPT_MAX);
  }

  read(): ApiStats {
    const oldestMs = this.#clock.now().getTime() - WINDOW_MS;
    this.#observed = this.#observed.filter(({ atMs }) => atMs > oldestMs);
    const count = this.#observed.length;
    if (count === 0) return { p95Ms: null, errorRate: null, requests: 0 };
    const durations = this.#observed.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    const failed = this.#observed.filter((one) => one.failed).length;
    return {
      p95Ms: durations[Math.ceil(count * 0.95) - 1] ?? null,
      errorRate: failed / count,
      requests: count,
    };
  }
}
