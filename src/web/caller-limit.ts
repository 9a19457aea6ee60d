/**
 * How often one caller may ask (HB-env-25): counted here always, and over all processes while their common count
 * answers. When it does not, each process goes on with its own, which has missed nothing of what came here.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { MINUTE_MS } from "../base/duration.js";
import type { WebDeps } from "./deps.js";

export interface LimitState {
  readonly max: number;
  /** Requests left in this window. */
  readonly remaining: number;
  readonly isExceeded: boolean;
  /** Seconds until the window ends. */
  readonly endsInS: number;
}

export type LimitCaller = (request: FastifyRequest) => Promise<LimitState>;

export function limitCallers(app: FastifyInstance, { config, countHit }: WebDeps): LimitCaller {
  const max = config.rateLimitPerMinute;
  const countHere = app.createRateLimit({ max, timeWindow: MINUTE_MS, keyGenerator: callerKey });
  return async (request) => {
    const here = stateOf(await countHere(request), max);
    // Who is refused here already need not be counted elsewhere: a flood stays where it arrives.
    if (here.isExceeded || countHit === null) return here;
    const everywhere = await countHit(callerKey(request), MINUTE_MS);
    if (everywhere === null || everywhere.count <= max - here.remaining) return here;
    const { count, endsInMs } = everywhere;
    const remaining = Math.max(0, max - count);
    return { max, remaining, isExceeded: count > max, endsInS: Math.ceil(endsInMs / 1_000) };
  };
}

function callerKey(request: FastifyRequest): string {
  return request.caller ? `subject ${request.caller.subject}` : `address ${request.ip}`;
}

type Counted = Awaited<ReturnType<ReturnType<FastifyInstance["createRateLimit"]>>>;

function stateOf(counted: Counted, max: number): LimitState {
  if (counted.isAllowed) return { max, remaining: max, isExceeded: false, endsInS: 0 };
  const { remaining, isExceeded, ttlInSeconds } = counted;
  return { max, remaining, isExceeded, endsInS: ttlInSeconds };
}
