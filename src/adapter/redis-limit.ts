/** Counts requests of one caller over all processes, in windows that begin with the first of them. */
import type { RedisConnection } from "./redis-connection.js";

/** Outside the cache: clearing that must not open the gates. */
const PREFIX = "algobrain-limit:";

/** In one step, so that no key is left without an end: such a caller would be refused for ever. */
const HIT = `
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}`;

/** Null: Redis did not answer, and the process counts alone. */
export type CountHit = (
  caller: string,
  windowMs: number,
) => Promise<{ readonly count: number; readonly endsInMs: number } | null>;

export function createRedisLimit(connection: RedisConnection): CountHit {
  return async (caller, windowMs) => {
    const answer = await connection.ask((redis) => redis.eval(HIT, 1, PREFIX + caller, windowMs));
    if (!Array.isArray(answer)) return null;
    const [count, endsInMs] = answer.map(Number);
    return { count: count ?? 0, endsInMs: endsInMs ?? 0 };
  };
}
