/** Runbook runs, read only: starting one over HTTP is not offered here. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import type { Run, StepRecord } from "../../runbook/run.js";
import { readSteps } from "../../store/run-steps.js";
import { listRuns, readRun } from "../../store/runs.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem } from "../problem.js";
import {
  LimitQuerySchema,
  PAGE_DEFAULT,
  RunPageSchema,
  type RunSchema,
  RunWithStepsSchema,
} from "../schema.js";

/** Within what PostgreSQL's text comparison is asked for: anything else is no run's id. */
const RUN_ID = /^run-[1-9]\d{0,15}$/;

export function runRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/runs",
    {
      schema: {
        summary: "Runs of runbooks, newest first",
        querystring: LimitQuerySchema,
        response: { 200: RunPageSchema },
      },
    },
    async (request) => {
      const { limit = PAGE_DEFAULT } = request.query as Static<typeof LimitQuerySchema>;
      return { runs: (await listRuns(deps.db, limit)).map(toRunDocument) };
    },
  );

  app.get(
    "/api/v1/runs/:id",
    { schema: { summary: "A run with its steps", response: { 200: RunWithStepsSchema } } },
    async (request) => {
      const { id } = request.params as { id: string };
      const run = RUN_ID.test(id) ? await readRun(deps.db, id) : null;
      if (!run) {
        const shown = JSON.stringify(id.slice(0, 40));
        throw new HttpProblem("not-found", `There is no run ${shown}; ids read run-123.`);
      }
      const steps = await readSteps(deps.db, run.seq);
      return { ...toRunDocument(run), plan: run.plan, steps: steps.map(toStepDocument) };
    },
  );
}

function toRunDocument(run: Run): Static<typeof RunSchema> {
  return {
    id: run.id,
    runbook: run.runbook,
    params: run.params,
    actor: run.actor,
    door: run.door,
    reason: run.reason,
    dry_run: run.dryRun,
    status: run.status,
    outcome: run.outcome,
    automation: run.automation,
    incident_id: run.incidentId,
    requested_at: run.requestedAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    ended_at: run.endedAt?.toISOString() ?? null,
  };
}

function toStepDocument(step: StepRecord) {
  const { phase, ordinal, name, status, output, error } = step;
  return { phase, ordinal, name, status, output, error };
}
