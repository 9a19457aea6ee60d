/** In development only: a job of one's own, first in its queue, and how it ended (EP-21, AL-api-07). */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { assert } from "../../base/assert.js";
import { closed, Type } from "../../base/type.js";
import type { Job } from "../../job/job.js";
import { readJob } from "../../store/jobs.js";
import { submitJob } from "../../store/submit-job.js";
import type { WebDeps } from "../deps.js";
import { actorOf, callerOf } from "../guard.js";
import { toJobDocument } from "../job-document.js";
import { checkKind, checkPayload } from "../new-job.js";
import { AnyObject, JobSchema, Nullable } from "../schema.js";

/** Reads only: it checks the chain of the audit log. */
const KIND_DEFAULT = "audit";
const PRIORITY_FIRST = 10;
const WAIT_DEFAULT_MS = 10_000;
const LOOK_MS = 100;

const TestJobSchema = Nullable(
  Type.Object(
    {
      job_type: Type.Optional(Type.String({ maxLength: 64, description: "default audit" })),
      payload: Type.Optional(AnyObject),
      wait_ms: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 20_000, description: "for its end; default 10000" }),
      ),
    },
    closed,
  ),
);

export function testJobRoutes(app: FastifyInstance, deps: WebDeps): void {
  if (deps.config.environment !== "local") return;
  app.post(
    "/api/test/generate",
    {
      schema: {
        summary: "Run a test job now, and answer with its end or with how far it is",
        body: TestJobSchema,
        response: { 201: JobSchema },
      },
    },
    async (request, reply) => {
      const job = await runTestJob(deps, request);
      return reply.code(201).header("location", `/api/v1/jobs/${job.id}`).send(toJobDocument(job));
    },
  );
}

async function runTestJob(deps: WebDeps, request: FastifyRequest): Promise<Job> {
  const asked = (request.body as Static<typeof TestJobSchema>) ?? {};
  const { job_type: kind = KIND_DEFAULT, payload = {}, wait_ms: waitMs = WAIT_DEFAULT_MS } = asked;
  checkKind(deps.registry, kind, callerOf(request));
  checkPayload(deps.registry, kind, payload);
  const actor = actorOf(request);
  const { seq } = await submitJob(deps.db, { kind, payload, priority: PRIORITY_FIRST, actor });
  return awaitEnd(deps, seq, waitMs);
}

/** As it is then, ended or not. */
async function awaitEnd({ db, clock }: WebDeps, seq: number, waitMs: number): Promise<Job> {
  const deadline = clock.now().getTime() + waitMs;
  for (;;) {
    const job = await readJob(db, seq);
    assert(job !== null, "a job that was just submitted can be read");
    const hasEnded = job.status !== "pending" && job.status !== "running";
    if (hasEnded || clock.now().getTime() >= deadline) return job;
    await clock.sleep(LOOK_MS);
  }
}
