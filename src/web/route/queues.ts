/** Queues by job type: how deep they are, how one is stopped, let go on and cleaned (EP-08…11). */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { DAY_MS } from "../../base/duration.js";
import { didYouMean } from "../../base/similar.js";
import { ALL_QUEUES, listPauses, pauseQueue, resumeQueue } from "../../store/pauses.js";
import { readQueueDepth, readQueueStats } from "../../store/queue-stats.js";
import { clean } from "../clean-request.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";
import {
  CleanedSchema,
  CleanSchema,
  PauseSchema,
  PauseStateSchema,
  QueueStatsSchema,
  toPauseDocument,
} from "../queue-schema.js";
import { readDuration } from "../time.js";

/** A pause is a plaster: what should stay off for longer is switched off in policy, in Git. */
const EXPIRY = { pointer: "/expires_in", maxMs: 30 * DAY_MS, max: "30d" } as const;
/** One that was forgotten is over by the next morning. */
const EXPIRES_DEFAULT_MS = DAY_MS;

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
        summary:
          "Stop starting jobs of a type, for a day unless said otherwise; those that run go on",
        body: PauseSchema,
        response: { 200: PauseStateSchema },
      },
    },
    async (request) => {
      const kind = queueOf(request, deps);
      const { reason, expires_in: text } = request.body as Static<typeof PauseSchema>;
      const forMs = text === undefined ? EXPIRES_DEFAULT_MS : readDuration(text, EXPIRY);
      const expiresAt = new Date(deps.clock.now().getTime() + forMs);
      await pauseQueue(deps.db, { kind, reason, by: actorOf(request), expiresAt });
      return { name: kind, paused: true, reason, expires_at: expiresAt.toISOString() };
    },
  );

  app.post(
    "/api/queue/:name/resume",
    { schema: { summary: "Start jobs of a type again", response: { 200: PauseStateSchema } } },
    async (request) => resume(deps, request),
  );

  app.post(
    "/api/queue/:name/clean",
    {
      schema: {
        summary: "Remove finished jobs of a type that ended long enough ago",
        body: CleanSchema,
        response: { 200: CleanedSchema },
      },
    },
    async (request) => {
      const kind = queueOf(request, deps);
      const where = { kinds: [kind], target: `queue:${kind}`, actor: actorOf(request) };
      return clean(deps, request.body as Static<typeof CleanSchema>, where);
    },
  );
}

async function readStats({ db }: WebDeps) {
  const [stats, depths, pauses] = await Promise.all([
    readQueueStats(db),
    readQueueDepth(db),
    listPauses(db),
  ]);
  const ofAll = pauses.find(({ kind }) => kind === ALL_QUEUES);
  const queues = stats.map((queue) => {
    const depth = depths.find(({ name }) => name === queue.name);
    const pause = pauses.find(({ kind }) => kind === queue.name) ?? ofAll;
    return {
      ...queue,
      due: depth?.due ?? 0,
      oldest_due_ms: depth?.oldestDueMs ?? 0,
      pause: pause === undefined ? null : toPauseDocument(pause),
    };
  });
  return { queues };
}

/** While all are paused the queue stays paused, and the answer says why. */
async function resume(deps: WebDeps, request: FastifyRequest) {
  const kind = queueOf(request, deps);
  const changed = await resumeQueue(deps.db, { kind, by: actorOf(request) });
  const ofAll = (await listPauses(deps.db)).find((pause) => pause.kind === ALL_QUEUES);
  const state = { name: kind, paused: ofAll !== undefined, changed };
  return ofAll === undefined ? state : { ...state, pause: toPauseDocument(ofAll) };
}

/** A public kind: the internal ones are never paused, because they heal the rest (design 8.3). */
function queueOf(request: FastifyRequest, deps: WebDeps): string {
  const { name } = request.params as { name: string };
  const spec = deps.registry.get(name);
  if (spec !== undefined && spec.lane !== "general") {
    throw new HttpProblem(
      "internal-job-type",
      `The queue ${name} is left alone: healing depends on it.`,
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
