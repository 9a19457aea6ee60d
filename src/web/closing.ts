/**
 * The end of connections. Node waits a minute for those that ask nothing, or half of something: any stranger
 * could hold up a deployment with them. Here they end once no request is in flight, and all of them at a deadline.
 */
import type { FastifyInstance } from "fastify";
import type { Clock } from "../base/clock.js";

/** Requests in flight get this long. */
const DRAIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

/** Call it before routes are added, so that it sees every request. */
export function endConnections(app: FastifyInstance, clock: Clock): void {
  let inFlight = 0;
  app.addHook("onRequest", async (_request, reply) => {
    inFlight += 1;
    // Once, when the answer is on its way or the caller has gone.
    reply.raw.once("close", () => {
      inFlight -= 1;
    });
  });
  app.addHook("preClose", async () => {
    if (!app.server.listening) return;
    const closed = new AbortController();
    app.server.once("close", () => closed.abort());
    const deadline = clock.now().getTime() + DRAIN_MS;
    const isOver = () => inFlight === 0 || clock.now().getTime() > deadline;
    void endWhen(isOver, app, clock, closed.signal);
  });
}

async function endWhen(
  isOver: () => boolean,
  app: FastifyInstance,
  clock: Clock,
  closed: AbortSignal,
): Promise<void> {
  while (!closed.aborted) {
    await clock.sleep(LOOK_EVERY_MS, closed);
    if (isOver()) app.server.closeAllConnections();
  }
}
