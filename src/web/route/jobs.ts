/** Making and reading jobs (EP-02, EP-03, EP-04). */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { assert } from "../../base/assert.js";
import { type Job, PRIORITY_DEFAULT, parseJobId } from "../../job/job.js";
import { readAttempts } from "../../store/job-attempts.js";
import { listJobs } from "../../store/job-list.js";
import { readJob, readJobHistory } from "../../store/jobs.js";
import { submitJob } from "../../store/submit-job.js";
import { toAttemptDocument } from "../attempt-document.js";
import { acceptJsonUnderAnyLabel } from "../body.js";
import type { WebDeps } from "../deps.js";
import { actorOf, callerOf } from "../guard.js";
import { toAuditDocument, toHealingDocument, toJobDocument } from "../job-document.js";
import { readFilter } from "../job-filter.js";
import { checkKind, checkPayload, readScheduledAt } from "../new-job.js";
import { HttpProblem, misfit } from "../problem.js";
import {
  JobPageSchema,
  JobQuerySchema,
  JobSchema,
  JobWithHistorySchema,
  NewJobSchema,
  PAGE_DEFAULT,
} from "../schema.js";

export function jobRoutes(app: FastifyInstance, deps: WebDeps): void {
  acceptJsonUnderAnyLabel(app);

  app.post(
    "/api/v1/jobs",
    { schema: { summary: "Make a job", body: NewJobSchema, response: { 201: JobSchema } } },
    async (request, reply) => {
      const job = await createJob(deps, request, request.body as Static<typeof NewJobSchema>);
      return reply.code(201).header("location", `/api/v1/jobs/${job.id}`).send(toJobDocument(job));
    },
  );

  app.get(
    "/api/v1/jobs",
    {
      schema: {
        summary: "Jobs, newest first",
        querystring: JobQuerySchema,
        response: { 200: JobPageSchema },
      },
    },
    async (request) => readPage(deps, request.query as Static<typeof JobQuerySchema>),
  );

  app.get(
    "/api/v1/jobs/:id",
    { schema: { summary: "A job with its history", response: { 200: JobWithHistorySchema } } },
    async (request) => {
      const job = await readJob(deps.db, jobSeqOf(request));
      if (!job) throw noSuchJob(request);
      const { healing, audit } = await readJobHistory(deps.db, job.id);
      return {
        ...toJobDocument(job),
        history: {
          healing: healing.map(toHealingDocument),
          audit: audit.map(toAuditDocument),
          attempts: (await readAttempts(deps.db, job.seq)).map(toAttemptDocument),
        },
      };
    },
  );
}

/** Everything is checked before anything is written; the job and its audit entry are one transaction. */
async function createJob(
  deps: WebDeps,
  request: FastifyRequest,
  asked: Static<typeof NewJobSchema>,
): Promise<Job> {
  const kind = asked.job_type;
  checkKind(deps.registry, kind, callerOf(request));
  checkPayload(deps.registry, kind, asked.payload);
  const actor = actorOf(request);
  const priority = asked.priority ?? deps.policy().workers[kind]?.priority ?? PRIORITY_DEFAULT;
  const scheduledAt = readScheduledAt(asked.scheduled_at, deps.clock.now());
  const submission = { kind, payload: asked.payload, priority, scheduledAt, actor };
  const { seq } = await submitJob(deps.db, submission);
  const job = await readJob(deps.db, seq);
  assert(job !== null, "a job that was just submitted can be read");
  return job;
}

async function readPage(deps: WebDeps, query: Static<typeof JobQuerySchema>) {
  const { before, after, limit = PAGE_DEFAULT, ...asked } = query;
  if (before !== undefined && after !== undefined) {
    throw misfit("query", "/after", "goes without before: a page has one side");
  }
  const beforeSeq = parseJobId(before ?? "") ?? undefined;
  const afterSeq = parseJobId(after ?? "") ?? undefined;
  const filter = readFilter(asked, "query");
  const jobs = await listJobs(deps.db, { ...filter, limit, beforeSeq, afterSeq });
  // Behind a page of newer ones there is always the one that they are newer than.
  const hasOlder = after !== undefined || jobs.length === limit;
  return {
    jobs: jobs.map(toJobDocument),
    next: hasOlder ? (jobs.at(-1)?.id ?? null) : null,
    prev: jobs[0]?.id ?? after ?? null,
  };
}

/** 404 for what is not a job id at all: no job has it. */
export function jobSeqOf(request: FastifyRequest): number {
  const { id } = request.params as { id: string };
  const seq = parseJobId(id);
  if (seq === null) throw noSuchJob(request);
  return seq;
}

export function noSuchJob(request: FastifyRequest): HttpProblem {
  const { id } = request.params as { id: string };
  return new HttpProblem(
    "not-found",
    `There is no job ${JSON.stringify(id.slice(0, 40))}; ids read job-123.`,
  );
}
