/** Queues by job type: how deep they are, how one is stopped and let go on (EP-08, EP-09, EP-10). */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { DAY_MS, parseDuration } from "../../base/duration.js";
import { didYouMean } from "../../base/similar.js";
import { listPauses, type Pause, pauseQueue, resumeQueue } from "../../store/pauses.js";
import { readQueueStats } from "../../store/queue-stats.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";
import { PauseSchema, PauseStateSchema, QueueStatsSchema } from "../schema.js";

/** A pause is a plaster: what should stay off for longer is switched off in policy, in Git. */
const PAUSE_MAX_MS = 30 * DAY_MS;

export function queueRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/queue/stats",
    { schema: { summary: "Each queue's depth and pause", response: { 200: QueueStatsSchema } } },
    async () => readStats(deps),
  );

  app.post(
    "/api/queue/:name/pause",
    {
      schema: {
        summary: "Stop starting jobs of a type; those that run go on",
        body: PauseSchema,
        response: { 200: PauseStateSchema },
      },
    },
    async (request) => {
      const kind = queueOf(request, deps);
      const { reason, expires_in: expiresIn } = request.body as Static<typeof PauseSchema>;
      const expiresAt = expiresIn === undefined ? null : readExpiry(expiresIn, deps.clock.now());
      await pauseQueue(deps.db, { kind, reason, by: actorOf(request), expiresAt });
      return { name: kind, paused: true, reason, expires_at: expiresAt?.toISOString() ?? null };
    },
  );

  app.post(
    "/api/queue/:name/resume",
    { schema: { summary: "Start jobs of a type again", response: { 200: PauseStateSchema } } },
    async (request) => {
      const kind = queueOf(request, deps);
      const changed = await resumeQueue(deps.db, { kind, by: actorOf(request) });
      return { name: kind, paused: false, changed };
    },
  );
}

async function readStats({ db }: WebDeps) {
  const [stats, pauses] = await Promise.all([readQueueStats(db), listPauses(db)]);
  const pauseOf = new Map(pauses.map((pause) => [pause.kind, toPauseDocument(pause)]));
  return { queues: stats.map((queue) => ({ ...queue, pause: pauseOf.get(queue.name) ?? null })) };
}

function toPauseDocument(pause: Pause) {
  return {
    reason: pause.reason,
    paused_by: pause.pausedBy,
    paused_at: pause.pausedAt.toISOString(),
    expires_at: pause.expiresAt?.toISOString() ?? null,
  };
}

/** A public kind: the internal ones are never paused, because they heal the rest (design 8.3). */
function queueOf(request: FastifyRequest, deps: WebDeps): string {
  const { name } = request.params as { name: string };
  const spec = deps.registry.get(name);
  if (spec?.lane === "internal") {
    throw new HttpProblem(
      "internal-job-type",
      `The queue ${name} is never paused: healing depends on it.`,
    );
  }
  if (spec) return name;
  const hint =
    didYouMean(name, deps.registry.names("general")) ?? "GET /api/queue/stats lists them.";
  throw new HttpProblem(
    "not-found",
    `There is no queue ${JSON.stringify(name.slice(0, 40))}; ${hint}`,
  );
}

function readExpiry(text: string, now: Date): Date {
  const ms = parseDuration(text);
  if (ms === null || ms < 1 || ms > PAUSE_MAX_MS) {
    throw new HttpProblem("invalid-body", "The body does not fit.", {
      errors: [{ pointer: "/expires_in", message: "must be a duration such as 30m, at most 30d" }],
    });
  }
  return new Date(now.getTime() + ms);
}
