/** Why is this job not running: every reason that holds now, in words, with what to do about it. */
import type { FastifyInstance } from "fastify";
import { Type } from "../../base/type.js";
import { JOB_STATUSES } from "../../job/job.js";
import { type Reason, whyNotRunning } from "../../job/why.js";
import { readWhyFacts } from "../../store/why.js";
import type { WebDeps } from "../deps.js";
import { Nullable, Time } from "../schema.js";
import { jobSeqOf, noSuchJob } from "./jobs.js";

const WhySchema = Type.Object({
  id: Type.String(),
  status: Type.String({ enum: [...JOB_STATUSES] }),
  reasons: Type.Array(
    Type.Object({
      code: Type.String({ examples: ["paused", "not-due", "no-worker"], description: "stable" }),
      sentence: Type.String(),
      remedy: Nullable(Type.String({ description: "null: it passes by itself" })),
      until: Nullable(Time),
    }),
    { description: "never empty; what must go first stands first" },
  ),
});

export function jobWhyRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/jobs/:id/why",
    { schema: { summary: "Why a job is not running", response: { 200: WhySchema } } },
    async (request) => {
      const { db, policy, config } = deps;
      const seq = jobSeqOf(request);
      const facts = await readWhyFacts(db, { seq, policy: policy(), cap: config.jobsMax });
      if (!facts) throw noSuchJob(request);
      const { id, status } = facts.job;
      return { id, status, reasons: whyNotRunning(facts).map(toReasonDocument) };
    },
  );
}

function toReasonDocument({ until, ...reason }: Reason) {
  return { ...reason, until: until?.toISOString() ?? null };
}
