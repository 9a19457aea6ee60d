/** Speed and failures of the API (HB-met-03, HB-met-07). */
import type { ApiStats } from "../api-stats.js";
import { gauge, type SampleSource } from "./source.js";

export function apiSource(apiStats: () => ApiStats): SampleSource {
  return {
    name: "api",
    collect: async (now) => {
      const { p95Ms, errorRate } = apiStats();
      return [
        ...gauge("algobrain.api.latency_p95_ms", p95Ms, now),
        ...gauge("algobrain.api.error_rate", errorRate, now),
      ];
    },
  };
}
