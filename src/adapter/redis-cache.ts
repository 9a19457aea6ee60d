/**
 * The cache that all processes share. Everything under `algobrain:` in Redis is an entry of it and may be deleted at
 * any time; what must not be deleted with it stands under other names.
 */
import type { Clock } from "../base/clock.js";
import type { JsonObject } from "../base/json.js";
import type { Cache, CacheReads, CacheStats } from "../job/port.js";
import type { RedisConnection } from "./redis-connection.js";

const PREFIX = "algobrain:";
/** A hash of two counters: hits, misses. */
const READS = "algobrain-cache:reads";
/** Keys looked at by one step of a walk: a step is short for everybody else who uses this Redis. */
const STEP_KEYS = 500;
/** A walk for people ends there. */
const WALK_STEPS_MAX = 400;

/** One round trip reads and counts. ARGV[1]: reads that got no answer before, which were misses too. */
const READ = `
local value = redis.call('GET', KEYS[1])
local misses = tonumber(ARGV[1])
if value then redis.call('HINCRBY', KEYS[2], 'hits', 1) else misses = misses + 1 end
if misses > 0 then redis.call('HINCRBY', KEYS[2], 'misses', misses) end
return value`;

export function createRedisCache(connection: RedisConnection, clock: Clock): Cache {
  let unanswered = 0;
  return {
    get: async (key) => {
      const told = unanswered;
      unanswered = 0;
      const text = await connection.ask((redis) => redis.eval(READ, 2, PREFIX + key, READS, told));
      if (text === undefined) unanswered += told + 1;
      return typeof text === "string" ? parseEntry(text) : null;
    },
    set: async (key, value, ttlMs) => {
      const entry = `${clock.now().getTime()}:${JSON.stringify(value)}`;
      const kept = await connection.ask((redis) => redis.set(PREFIX + key, entry, "PX", ttlMs));
      return kept === "OK";
    },
    delete: async (...keys) => {
      if (keys.length === 0) return;
      await connection.ask((redis) => redis.unlink(...keys.map((key) => PREFIX + key)));
    },
    deleteByPrefix: (prefix) => deleteByPrefix(connection, PREFIX + prefix),
    reads: () => readCounts(connection),
    stats: () => readStats(connection),
  };
}

/** `1769600000000:{"…":…}`: when it was stored, and the value. Null for what is not ours. */
function parseEntry(text: string): JsonObject | null {
  const [, json] = /^\d+:(\{.*)$/s.exec(text) ?? [];
  if (json === undefined) return null;
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** No bound on steps: a half-cleared cache is worse than a long walk. */
async function deleteByPrefix(connection: RedisConnection, prefix: string): Promise<number | null> {
  let deleted = 0;
  for (let cursor = "0"; ; ) {
    const step = await scan(connection, cursor, prefix);
    if (step === undefined) return null;
    const [next, keys] = step;
    if (keys.length > 0) {
      const gone = await connection.ask((redis) => redis.unlink(...keys));
      if (gone === undefined) return null;
      deleted += gone;
    }
    if (next === "0") return deleted;
    cursor = next;
  }
}

function scan(connection: RedisConnection, cursor: string, prefix: string) {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  return connection.ask((redis) => redis.scan(cursor, "MATCH", pattern, "COUNT", STEP_KEYS));
}

async function readCounts(connection: RedisConnection): Promise<CacheReads | null> {
  const counts = await connection.ask((redis) => redis.hmget(READS, "hits", "misses"));
  if (counts === undefined) return null;
  const [hits, misses] = counts.map(Number);
  return { hits: hits ?? 0, misses: misses ?? 0 };
}

async function readStats(connection: RedisConnection): Promise<CacheStats | null> {
  const reads = await readCounts(connection);
  const walked = reads && (await walk(connection));
  if (!walked) return null;
  // An access list may forbid INFO: then the memory is unknown, and the rest is not.
  const info = await connection.ask((redis) => redis.info("memory"));
  const [, bytes] = /^used_memory:(\d+)/m.exec(info ?? "") ?? [];
  return {
    ...reads,
    ...walked,
    store: "redis",
    memoryBytes: bytes === undefined ? null : Number(bytes),
  };
}

type Walked = Pick<CacheStats, "keys" | "complete" | "oldestAt">;

async function walk(connection: RedisConnection): Promise<Walked | null> {
  const found = new Set<string>();
  let oldestMs = Number.POSITIVE_INFINITY;
  let cursor = "0";
  for (let step = 0; step < WALK_STEPS_MAX; step += 1) {
    const page = await scan(connection, cursor, PREFIX);
    if (page === undefined) return null;
    cursor = page[0];
    // A walk may meet a key twice.
    const keys = page[1].filter((key) => !found.has(key));
    for (const key of keys) found.add(key);
    oldestMs = Math.min(oldestMs, ...(await readStoredAt(connection, keys)));
    if (cursor === "0") break;
  }
  const oldestAt = Number.isFinite(oldestMs) ? new Date(oldestMs) : null;
  return { keys: found.size, complete: cursor === "0", oldestAt };
}

/** Milliseconds by key, without the values: the number before the colon. */
async function readStoredAt(
  connection: RedisConnection,
  keys: readonly string[],
): Promise<number[]> {
  const heads = await connection.ask((redis) =>
    Promise.all(keys.map((key) => redis.getrange(key, 0, 14))),
  );
  return (heads ?? []).flatMap((head) => {
    const [, ms] = /^(\d+):/.exec(head) ?? [];
    return ms === undefined ? [] : [Number(ms)];
  });
}
