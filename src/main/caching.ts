/** The cache of a process and its count of callers: in Redis where that is configured, else in its own memory. */
import { createMemoryCache } from "../adapter/memory-cache.js";
import type { CountHit } from "../adapter/redis-limit.js";
import type { Clock } from "../base/clock.js";
import type { Cache } from "../job/port.js";
import type { RedisConfig } from "../runtime/data-config.js";
import type { Foundation } from "./foundation.js";

export interface Caching {
  readonly cache: Cache;
  /** Null: every process counts alone. */
  readonly countHit: CountHit | null;
  /** Whether Redis answers now, for /health; null: none is configured. */
  readonly redis: (() => Promise<boolean>) | null;
  close(): Promise<void>;
}

/** Waits for no Redis: one that is away at start is found when it comes. */
export async function openCaching(foundation: Foundation, role: string): Promise<Caching> {
  const { config, clock } = foundation;
  return config.redis === null ? ownMemory(clock) : openShared(foundation, config.redis, role);
}

/** For a process that shares nothing. */
export function ownMemory(clock: Clock): Caching {
  return { cache: createMemoryCache(clock), countHit: null, redis: null, close: async () => {} };
}

async function openShared(
  { clock, log, random }: Foundation,
  redis: RedisConfig,
  role: string,
): Promise<Caching> {
  // Late, so that a process without Redis does not load its client.
  const [{ connectRedis }, { createRedisCache }, { createRedisLimit }] = await Promise.all([
    import("../adapter/redis-connection.js"),
    import("../adapter/redis-cache.js"),
    import("../adapter/redis-limit.js"),
  ]);
  const connection = connectRedis({ ...redis, name: `algobrain-${role}`, clock, log, random });
  return {
    cache: createRedisCache(connection, clock),
    countHit: createRedisLimit(connection),
    redis: () => connection.answers(),
    close: () => connection.close(),
  };
}
