/**
 * What one process of the API counts of its answers (HB-met-03, HB-met-07, AM-slo-01, -03): counters and buckets since it
 * began, of which whoever leads makes the figures of all processes together (sample/api).
 */
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";
import { type BucketCount, LatencyBuckets } from "./latency-buckets.js";

/** `refused`: a 503 on purpose, which is no failure. */
export const ANSWER_CLASSES = ["2xx", "3xx", "4xx", "5xx", "refused"] as const;
export type AnswerClass = (typeof ANSWER_CLASSES)[number];

export interface ApiStats {
  /** Since the process began. */
  readonly answers: Readonly<Record<AnswerClass, number>>;
  /** Likewise. */
  readonly durations: readonly BucketCount[];
  /** Requests within the last minute. */
  readonly perMinute: number;
  /** What measuring added to a request of the last minute, on average, in milliseconds; null without requests. */
  readonly overheadMs: number | null;
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

export interface ObservedAnswer {
  /** The route's pattern. */
  readonly route: string;
  readonly status: number;
  /** Code of the problem document; null when the answer was none. */
  readonly problem: string | null;
  readonly durationMs: number;
}

export class ApiTally {
  readonly #clock: Clock;
  readonly #load = new BySecond();
  readonly #overhead = new BySecond();
  readonly #durations = new LatencyBuckets();
  readonly #answers: Record<AnswerClass, number> = {
    ...{ "2xx": 0, "3xx": 0, "4xx": 0 },
    ...{ "5xx": 0, refused: 0 },
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  observe(answer: ObservedAnswer): void {
    if (PROBES.includes(answer.route)) return;
    this.#answers[classOf(answer)] += 1;
    this.#durations.observe(answer.durationMs);
    this.#load.add(this.#clock.now().getTime(), 1);
  }

  /** What measuring one request has cost the process. */
  addOverhead(ms: number): void {
    this.#overhead.add(this.#clock.now().getTime(), ms);
  }

  read(): ApiStats {
    const nowMs = this.#clock.now().getTime();
    const perMinute = this.#load.sum(nowMs);
    return {
      answers: { ...this.#answers },
      durations: this.#durations.read(),
      perMinute,
      overheadMs: perMinute === 0 ? null : this.#overhead.sum(nowMs) / perMinute,
    };
  }
}

function classOf({ status, problem }: ObservedAnswer): AnswerClass {
  if (status >= 500) return ON_PURPOSE.includes(problem ?? "") ? "refused" : "5xx";
  if (status >= 400) return "4xx";
  return status >= 300 ? "3xx" : "2xx";
}

const SECOND_MS = 1_000;
const WINDOW_SECONDS = MINUTE_MS / SECOND_MS;

/** Sums by second: at a thousand requests a second nobody keeps each one of a minute. */
class BySecond {
  readonly #bySecond = new Map<number, number>();

  add(atMs: number, amount: number): void {
    const second = Math.floor(atMs / SECOND_MS);
    this.#bySecond.set(second, (this.#bySecond.get(second) ?? 0) + amount);
    if (this.#bySecond.size > 2 * WINDOW_SECONDS) this.#forgetBefore(second);
  }

  /** Of the second that has just begun and the 59 before it. */
  sum(nowMs: number): number {
    this.#forgetBefore(Math.floor(nowMs / SECOND_MS));
    return [...this.#bySecond.values()].reduce((sum, amount) => sum + amount, 0);
  }

  #forgetBefore(now: number): void {
    for (const second of this.#bySecond.keys()) {
      if (second <= now - WINDOW_SECONDS) this.#bySecond.delete(second);
    }
  }
}
