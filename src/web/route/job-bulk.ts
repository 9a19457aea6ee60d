/** Retrying and cancelling all jobs that match a filter: first a count, then the act. Also in safe mode. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { DAY_MS } from "../../base/duration.js";
import { closed, Type } from "../../base/type.js";
import {
  BULK_ACTIONS,
  type BulkAction,
  confirmToken,
  readConfirmToken,
  spacingMs,
} from "../../job/bulk.js";
import { countBulk, runBulk } from "../../store/job-bulk.js";
import { mayRetry } from "../access.js";
import type { WebDeps } from "../deps.js";
import { actorOf, callerOf } from "../guard.js";
import { JOB_FILTER, readFilter } from "../job-filter.js";
import { HttpProblem, misfit } from "../problem.js";
import { budgetOf } from "../request-budget.js";
import { AnyObject, Nullable, Reason } from "../schema.js";
import { readDuration } from "../time.js";

const BulkSchema = Type.Object(
  {
    action: Type.Unsafe<BulkAction>({ type: "string", enum: [...BULK_ACTIONS] }),
    filter: Type.Object(JOB_FILTER, { ...closed, minProperties: 1 }),
    reason: Reason,
    dry_run: Type.Optional(
      Type.Boolean({ description: "only count, and say what to confirm; default true" }),
    ),
    confirm: Type.Optional(
      Type.String({ maxLength: 80, description: "what the count of the same act answered" }),
    ),
    spread: Type.Optional(
      Type.String({
        maxLength: 20,
        examples: ["30m"],
        description: "time over which retries begin; default 100 ms a job, at most 10m in all",
      }),
    ),
  },
  closed,
);
type Asked = Static<typeof BulkSchema>;

const BulkStateSchema = Type.Object({
  action: Type.String(),
  dry_run: Type.Boolean(),
  count: Type.Integer({ description: "jobs that it would move, or was confirmed to move" }),
  skipped: Type.Optional({ ...AnyObject, description: "matching jobs left alone, by status" }),
  confirm: Type.Optional(Type.String({ description: "send it back with dry_run false" })),
  acted: Type.Optional(Type.Integer({ description: "jobs that were moved" })),
  stopped: Type.Optional(
    Nullable(
      Type.String({ enum: ["grown", "time"], description: "why not all were: count again" }),
    ),
  ),
});

const SPREAD = { pointer: "/spread", maxMs: DAY_MS, max: "1d" } as const;

export function jobBulkRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/jobs/bulk",
    {
      schema: {
        summary: "Retry or cancel all jobs that match a filter, after a count of them",
        body: BulkSchema,
        response: { 200: BulkStateSchema },
      },
    },
    async (request) => {
      const asked = request.body as Asked;
      requireRight(deps, request, asked);
      refuseMisfits(deps, asked);
      return asked.dry_run === false ? act(deps, request, asked) : count(deps, asked);
    },
  );
}

function requireRight(deps: WebDeps, request: FastifyRequest, { action }: Asked): void {
  const caller = callerOf(request);
  if (action === "retry" && mayRetry(caller, deps.policy(), "rerun-failed-jobs")) return;
  if (caller.role === "admin") return;
  throw new HttpProblem(
    "forbidden",
    action === "retry"
      ? "The access policy lets only an admin retry jobs in bulk from the API."
      : "Only an admin may cancel jobs in bulk.",
  );
}

function refuseMisfits(deps: WebDeps, { action, filter, spread }: Asked): void {
  const lane = filter.job_type === undefined ? undefined : deps.registry.get(filter.job_type)?.lane;
  if (lane !== undefined && lane !== "general") {
    throw new HttpProblem(
      "internal-job-type",
      `Jobs of type ${filter.job_type} are left alone in bulk: healing depends on them.`,
      { errors: [{ pointer: "/filter/job_type", message: "must be a public type" }] },
    );
  }
  if (action === "cancel" && spread !== undefined) {
    throw misfit("body", "/spread", "is for retries: a cancel takes effect at once");
  }
}

async function count(deps: WebDeps, asked: Asked) {
  const { action, filter } = asked;
  if (asked.spread !== undefined) readDuration(asked.spread, SPREAD);
  const { skipped, ...found } = await countBulk(deps.db, {
    action,
    filter: readFilter(filter, "body"),
  });
  const confirm = confirmToken({ action, filter }, found);
  return { action, dry_run: true, count: found.count, skipped, confirm };
}

async function act(deps: WebDeps, request: FastifyRequest, asked: Asked) {
  const { action, filter, reason, spread } = asked;
  const confirmed = asked.confirm ? readConfirmToken(asked.confirm, { action, filter }) : null;
  if (confirmed === null) {
    throw misfit(
      "body",
      "/confirm",
      "must be what the dry run of the same action and filter answered",
    );
  }
  const windowMs = spread === undefined ? undefined : readDuration(spread, SPREAD);
  const result = await runBulk(deps.db, {
    ...{ action, filter: readFilter(filter, "body"), asked: filter, confirmed, reason },
    actor: actorOf(request),
    startAt: deps.clock.now(),
    spacingMs: spacingMs(confirmed.count, windowMs),
    isOver: budgetOf(deps.clock),
  });
  if (result.acted === 0 && result.stopped === "grown") {
    throw new HttpProblem(
      "state-conflict",
      `More than the ${confirmed.count} confirmed jobs match by now; nothing was changed: count again.`,
    );
  }
  return { action, dry_run: false, count: confirmed.count, ...result };
}
