/**
 * Speed, failures and load of the API (HB-met-03, HB-met-07, AM-slo-01, AM-slo-03). Each process that answers counts; who
 * leads makes one figure of all their counts, so that two processes never overwrite each other's percentile.
 */
import { quantileOf } from "../../alert/histogram.js";
import { MINUTE_MS } from "../../base/duration.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import { type Round, readRoundsSince } from "../../store/sample-rounds.js";
import type { Sample } from "../../store/samples.js";
import { ANSWER_CLASSES, type ApiStats } from "../api-stats.js";
import { gauge, type SampleSource } from "./source.js";

export interface ApiSourceOptions {
  readonly apiStats: () => ApiStats;
  readonly policy: () => PolicySet;
  /** This machine: several answer, and what they count is added up. */
  readonly host: string;
}

const SECONDS_PER_MINUTE = 60;
const ANSWERS = "algobrain.api.requests_total";
const DURATIONS = "algobrain.api.request_duration";

/** What this process counts. */
export function apiSource({ apiStats, policy, host }: ApiSourceOptions): SampleSource {
  return {
    name: "api",
    collect: async (now) => {
      const { answers, durations, perMinute, overheadMs } = apiStats();
      const target = policy().infrastructure.services.api.target;
      const targetPerMinute = target ? target.requestsPerSecond * SECONDS_PER_MINUTE : null;
      return [
        // Zeros as well: a class that first appears with its first answer would not show that one.
        ...ANSWER_CLASSES.flatMap((one) => gauge(ANSWERS, answers[one], now, { host, class: one })),
        ...durations.flatMap(({ le, count }) => gauge(DURATIONS, count, now, { host, le })),
        ...gauge("algobrain.api.request_rate", perMinute, now, { host }),
        ...gauge("algobrain.api.request_rate_target", targetPerMinute, now),
        ...gauge("algobrain.monitoring.overhead_ms", overheadMs, now),
      ];
    },
  };
}

/** Of the rounds of a process with an API, before its own name. */
export const API_SOURCE = "api@";
/** Rounds come each 15 s: so five of them span a minute, however late the newest is. */
const WINDOW_MS = MINUTE_MS + 15_000;

/** The figures of all processes, over the last minute of their counts. Without a request there is none. */
export function apiFiguresSource(sql: Sql): SampleSource {
  return {
    name: "api-figures",
    collect: async (now) => {
      const since = new Date(now.getTime() - WINDOW_MS);
      const rounds = await readRoundsSince(sql, since, now, { sourcePrefix: API_SOURCE });
      const answered = grownBy(rounds, ANSWERS, "class");
      const durations = grownBy(rounds, DURATIONS, "le");
      return [
        ...gauge("algobrain.api.error_rate", failedShare(answered), now),
        ...gauge("algobrain.api.latency_p95_ms", percentile(0.95, durations), now),
        ...gauge("algobrain.api.latency_p99_ms", percentile(0.99, durations), now),
      ];
    },
  };
}

/** By the value of a label: how much the counters grew, summed over hosts. One that fell began anew. */
function grownBy(rounds: readonly Round[], metric: string, label: string): Map<string, number> {
  const last = new Map<string, number>();
  const grown = new Map<string, number>();
  for (const { labels, value } of rounds.flatMap((round) => ofMetric(round, metric))) {
    const series = `${labels.host} ${labels[label]}`;
    const before = last.get(series);
    last.set(series, value);
    if (before === undefined) continue;
    const more = value >= before ? value - before : value;
    grown.set(labels[label]!, (grown.get(labels[label]!) ?? 0) + more);
  }
  return grown;
}

function ofMetric({ samples }: Round, metric: string): Pick<Sample, "labels" | "value">[] {
  return samples.filter((sample) => sample.metric === metric);
}

function failedShare(answered: ReadonlyMap<string, number>): number | null {
  const all = [...answered.values()].reduce((sum, count) => sum + count, 0);
  return all === 0 ? null : (answered.get("5xx") ?? 0) / all;
}

function percentile(share: number, durations: ReadonlyMap<string, number>): number | null {
  const buckets = [...durations]
    .map(([le, count]) => ({ bound: le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le), count }))
    .sort((a, b) => a.bound - b.bound);
  const found = quantileOf(share, buckets);
  return Number.isFinite(found) ? found : null;
}
