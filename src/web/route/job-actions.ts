/** Retrying and cancelling jobs (EP-05). The same use cases as on the terminal and in chat; also in safe mode. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import type { Job } from "../../job/job.js";
import { cancelJob, retryJob } from "../../store/job-actions.js";
import { mayRetry } from "../access.js";
import type { WebDeps } from "../deps.js";
import { actorOf, callerOf } from "../guard.js";
import { toJobDocument } from "../job-document.js";
import { HttpProblem } from "../problem.js";
import { CancelSchema, JobSchema, RetrySchema } from "../schema.js";
import { jobSeqOf, noSuchJob } from "./jobs.js";

const CONFLICTS = {
  running: 'is running; wait for its end, or send {"force": true} to end its worker\'s hold first',
  "already-pending": "is pending already",
  completed: "has completed; make a new job to do the work again",
  "already-cancelled": "is cancelled already",
} as const;

export function jobActionRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/jobs/:id/retry",
    {
      schema: {
        summary:
          "Make a failed, quarantined or cancelled job pending again; 409 when it is running",
        body: RetrySchema,
        response: { 200: JobSchema },
      },
    },
    async (request) => {
      const { reason, force = false } = (request.body as Static<typeof RetrySchema>) ?? {};
      const caller = callerOf(request);
      if (!mayRetry(caller, deps.policy())) {
        throw new HttpProblem(
          "forbidden",
          "The access policy lets only an admin retry jobs from the API.",
        );
      }
      if (force && caller.role !== "admin") {
        throw new HttpProblem("forbidden", "Only an admin may take a running job from its worker.");
      }
      const seq = jobSeqOf(request);
      const { outcome, job } = await retryJob(deps.db, {
        seq,
        actor: actorOf(request),
        reason,
        force,
      });
      if (outcome === "not-found" || !job) throw noSuchJob(request);
      return outcome === "retried" ? toJobDocument(job) : refuse(job, outcome);
    },
  );

  app.post(
    "/api/v1/jobs/:id/cancel",
    {
      schema: {
        summary: "End a job for good, also a running one",
        body: CancelSchema,
        response: { 200: JobSchema },
      },
    },
    async (request) => {
      const { reason = "no reason given" } = (request.body as Static<typeof CancelSchema>) ?? {};
      const seq = jobSeqOf(request);
      const { outcome, job } = await cancelJob(deps.db, { seq, actor: actorOf(request), reason });
      if (outcome === "not-found" || !job) throw noSuchJob(request);
      return outcome === "cancelled" ? toJobDocument(job) : refuse(job, outcome);
    },
  );
}

function refuse(job: Job, outcome: keyof typeof CONFLICTS): never {
  throw new HttpProblem("state-conflict", `The job ${job.id} ${CONFLICTS[outcome]}.`);
}
