/** Speed and failures of the API, and how often the cache helps (HB-met-03, -05, -07). */
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

/** `hitRate` is a fraction 0–1, null when nothing was read. */
export function cacheSource(hitRate: () => number | null): SampleSource {
  return {
    name: "cache",
    collect: async (now) => gauge("algobrain.cache.hit_rate", hitRate(), now),
  };
}
