/** Speed, failures and load of the API (HB-met-03, HB-met-07, AM-slo-01, AM-slo-03). */
import type { PolicySet } from "../../policy/policy.js";
import type { ApiStats } from "../api-stats.js";
import { gauge, type SampleSource } from "./source.js";

export interface ApiSourceOptions {
  readonly apiStats: () => ApiStats;
  readonly policy: () => PolicySet;
  /** This machine: several answer, and what they carry is summed. */
  readonly host: string;
}

const SECONDS_PER_MINUTE = 60;

export function apiSource({ apiStats, policy, host }: ApiSourceOptions): SampleSource {
  return {
    name: "api",
    collect: async (now) => {
      const { p95Ms, p99Ms, errorRate, perMinute } = apiStats();
      const target = policy().infrastructure.services.api.target;
      const targetPerMinute = target ? target.requestsPerSecond * SECONDS_PER_MINUTE : null;
      return [
        ...gauge("algobrain.api.latency_p95_ms", p95Ms, now),
        ...gauge("algobrain.api.latency_p99_ms", p99Ms, now),
        ...gauge("algobrain.api.error_rate", errorRate, now),
        ...gauge("algobrain.api.request_rate", perMinute, now, { host }),
        ...gauge("algobrain.api.request_rate_target", targetPerMinute, now),
      ];
    },
  };
}
