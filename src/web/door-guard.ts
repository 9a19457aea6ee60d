/**
 * The signed doors are outside the rate limit, because their callers do not slow down for us (design
 * 8.10). What is bounded instead: requests in flight, and wrong signatures by caller.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../base/clock.js";
import { MINUTE_MS } from "../base/duration.js";
import { doorKey } from "./address.js";
import { refuseSlowRequest } from "./error-reply.js";
import { HttpProblem } from "./problem.js";

/** Times the largest body this is the memory that strangers can make us hold. */
const IN_FLIGHT_MAX = 32;
/** Of one caller: with all places it could shut the doors for everybody else. */
const IN_FLIGHT_OF_ONE_MAX = 8;
/** The whole delivery must be here by then, GitHub's own limit: who dribbles a body only holds a place. */
const BODY_MS = 10_000;
/** A sender with a wrong secret shows in a handful; hundreds are an attack. */
const FORGED_PER_MINUTE_MAX = 60;

export function guardDoors(app: FastifyInstance, clock: Clock): void {
  const places = new Places();
  const forged = app.createRateLimit({
    max: FORGED_PER_MINUTE_MAX,
    timeWindow: MINUTE_MS,
    keyGenerator: (request: FastifyRequest) => `forged ${doorKey(request)}`,
  });

  app.addHook("onRequest", async (request, reply) => {
    if (!isDoor(request)) return;
    const caller = doorKey(request);
    places.refuseIfFull(caller);
    const state = await forged(request, { increment: false });
    if (!state.isAllowed && state.remaining === 0) {
      throw new HttpProblem("rate-limited", "Too many wrong signatures from this address.", {
        retryAfterS: Math.max(1, state.ttlInSeconds),
      });
    }
    places.take(caller);
    let isHeld = true;
    const leave = () => {
      if (isHeld) places.free(caller);
      isHeld = false;
    };
    // Called by the door when the signature fits; "close" comes once, also when the caller goes away in mid-request.
    request.leavePlace = leave;
    reply.raw.once("close", leave);
    void endIfDribbled(request, reply, clock);
  });

  app.addHook("onResponse", async (request, reply) => {
    if (isDoor(request) && reply.statusCode === 401) await forged(request);
  });
}

function isDoor(request: FastifyRequest): boolean {
  return request.routeOptions.config?.access?.need === "signature";
}

/** Deliveries in flight, in all and of each caller. */
class Places {
  readonly #taken = new Map<string, number>();
  #all = 0;

  refuseIfFull(caller: string): void {
    if (this.#all >= IN_FLIGHT_MAX) {
      const detail = `More than ${IN_FLIGHT_MAX} deliveries at once.`;
      throw new HttpProblem("busy", detail, { retryAfterS: 1 });
    }
    if ((this.#taken.get(caller) ?? 0) >= IN_FLIGHT_OF_ONE_MAX) {
      const detail = `More than ${IN_FLIGHT_OF_ONE_MAX} deliveries at once from this address.`;
      throw new HttpProblem("rate-limited", detail, { retryAfterS: 1 });
    }
  }

  take(caller: string): void {
    this.#all += 1;
    this.#taken.set(caller, (this.#taken.get(caller) ?? 0) + 1);
  }

  free(caller: string): void {
    this.#all -= 1;
    const left = (this.#taken.get(caller) ?? 1) - 1;
    if (left === 0) this.#taken.delete(caller);
    else this.#taken.set(caller, left);
  }
}

async function endIfDribbled(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
): Promise<void> {
  const isOver = new AbortController();
  reply.raw.once("close", () => isOver.abort());
  await clock.sleep(BODY_MS, isOver.signal);
  if (!isOver.signal.aborted && !request.raw.complete) refuseSlowRequest(request.raw.socket);
}
