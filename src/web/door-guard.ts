/**
 * The signed doors are outside the rate limit, because their callers do not slow down for us (design
 * 8.10). What is bounded instead: requests in flight, and wrong signatures by caller.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { MINUTE_MS } from "../base/duration.js";
import { doorKey } from "./address.js";
import { HttpProblem } from "./problem.js";

/** Times the largest body this is the memory that strangers can make us hold. */
const IN_FLIGHT_MAX = 32;
/** A sender with a wrong secret shows in a handful; hundreds are an attack. */
const FORGED_PER_MINUTE_MAX = 60;

export function guardDoors(app: FastifyInstance): void {
  let inFlight = 0;
  const forged = app.createRateLimit({
    max: FORGED_PER_MINUTE_MAX,
    timeWindow: MINUTE_MS,
    keyGenerator: (request: FastifyRequest) => `forged ${doorKey(request)}`,
  });

  app.addHook("onRequest", async (request, reply) => {
    if (!isDoor(request)) return;
    if (inFlight >= IN_FLIGHT_MAX) {
      throw new HttpProblem("busy", `More than ${IN_FLIGHT_MAX} deliveries at once.`, {
        retryAfterS: 1,
      });
    }
    const state = await forged(request, { increment: false });
    if (!state.isAllowed && state.remaining === 0) {
      throw new HttpProblem("rate-limited", "Too many wrong signatures from this address.", {
        retryAfterS: Math.max(1, state.ttlInSeconds),
      });
    }
    inFlight += 1;
    // "close" comes once, also when the caller goes away in mid-request.
    reply.raw.once("close", () => {
      inFlight -= 1;
    });
  });

  app.addHook("onResponse", async (request, reply) => {
    if (isDoor(request) && reply.statusCode === 401) await forged(request);
  });
}

function isDoor(request: FastifyRequest): boolean {
  return request.routeOptions.config?.access?.need === "signature";
}
