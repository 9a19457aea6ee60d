/** How often the cache knew (HB-met-05), over the last minutes and all processes that share it. */
import { MINUTE_MS } from "../../base/duration.js";
import type { Cache, CacheReads } from "../../job/port.js";
import { gauge, type SampleSource } from "./source.js";

const WINDOW_MS = 5 * MINUTE_MS;
/** Fewer say nothing, and must not wake anybody. */
const READS_MIN = 20;

type Seen = CacheReads & { readonly atMs: number };

export function cacheSource(cache: Pick<Cache, "reads">): SampleSource {
  let history: Seen[] = [];
  return {
    name: "cache",
    collect: async (now) => {
      const reads = await cache.reads();
      // A cache that is away has no rate: that it is away, /health says.
      if (reads === null) return [];
      const seen = { ...reads, atMs: now.getTime() };
      history = [...history.filter((one) => isBefore(one, seen)), seen];
      return gauge("algobrain.cache.hit_rate", hitRate(history[0] ?? seen, seen), now);
    },
  };
}

/** Within the window, and not of counters that have begun anew since. */
function isBefore(one: Seen, now: Seen): boolean {
  const isRecent = one.atMs >= now.atMs - WINDOW_MS;
  return isRecent && one.hits <= now.hits && one.misses <= now.misses;
}

/** Null with too few reads in between: nothing is neither good nor bad. */
function hitRate(from: CacheReads, to: CacheReads): number | null {
  const hits = to.hits - from.hits;
  const reads = hits + to.misses - from.misses;
  return reads < READS_MIN ? null : hits / reads;
}
