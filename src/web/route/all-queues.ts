/** All public queues at once: before a deployment, and after it (EP-12, EP-13, EP-14, BQ-wrk-06). */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { DAY_MS, HOUR_MS } from "../../base/duration.js";
import { ALL_QUEUES, listPauses, pauseQueue, resumeQueues } from "../../store/pauses.js";
import { clean } from "../clean-request.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import {
  CleanedSchema,
  CleanSchema,
  PauseAllSchema,
  PauseAllStateSchema,
  ResumeAllSchema,
  toPauseDocument,
} from "../queue-schema.js";
import { readDuration } from "../time.js";

/** Nothing runs meanwhile: whoever forgets to end it must not stop the system for a night. */
const EXPIRES_DEFAULT_MS = HOUR_MS;
const EXPIRY = { pointer: "/expires_in", maxMs: DAY_MS, max: "24h" } as const;

export function allQueueRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/queue/pause-all",
    {
      schema: {
        summary: "Stop starting jobs of any public type, for an hour unless said otherwise",
        body: PauseAllSchema,
        response: { 200: PauseAllStateSchema },
      },
    },
    async (request) => pauseAll(deps, request),
  );

  app.post(
    "/api/queue/resume-all",
    {
      schema: {
        summary: "End the pause of all; queues with a pause of their own stay paused",
        body: ResumeAllSchema,
        response: { 200: PauseAllStateSchema },
      },
    },
    async (request) => resumeAll(deps, request),
  );

  app.post(
    "/api/queue/clean-all",
    {
      schema: {
        summary: "Remove finished jobs of every public type that ended long enough ago",
        body: CleanSchema,
        response: { 200: CleanedSchema },
      },
    },
    async (request) =>
      clean(deps, request.body as Static<typeof CleanSchema>, {
        kinds: publicKinds(deps),
        target: `queue:${ALL_QUEUES}`,
        actor: actorOf(request),
      }),
  );
}

async function pauseAll(deps: WebDeps, request: FastifyRequest) {
  const { reason, expires_in: text } = request.body as Static<typeof PauseAllSchema>;
  const forMs = text === undefined ? EXPIRES_DEFAULT_MS : readDuration(text, EXPIRY);
  const expiresAt = new Date(deps.clock.now().getTime() + forMs);
  await pauseQueue(deps.db, { kind: ALL_QUEUES, reason, by: actorOf(request), expiresAt });
  const names = publicKinds(deps);
  return { names, paused: true, reason, expires_at: expiresAt.toISOString() };
}

async function resumeAll(deps: WebDeps, request: FastifyRequest) {
  const { each = false } = (request.body as Static<typeof ResumeAllSchema>) ?? {};
  const names = publicKinds(deps);
  const kinds = each ? [ALL_QUEUES, ...names] : [ALL_QUEUES];
  const resumed = await resumeQueues(deps.db, { kinds, by: actorOf(request) });
  const left = (await listPauses(deps.db)).filter(({ kind }) => names.includes(kind));
  const isLeft = (name: string) => left.some(({ kind }) => kind === name);
  return {
    names: resumed.includes(ALL_QUEUES) ? names.filter((name) => !isLeft(name)) : resumed,
    paused: false,
    still_paused: left.map((pause) => ({ name: pause.kind, ...toPauseDocument(pause) })),
  };
}

function publicKinds({ registry }: WebDeps): string[] {
  return registry.names("general");
}
