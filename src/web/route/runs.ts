/** Runbook runs: ask for one, look at them. What people order about one is in run-actions.ts. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import type { ApprovalRule } from "../../runbook/authorize.js";
import { RUN_STATUSES, type Run, type RunStatus } from "../../runbook/run.js";
import { readApproval } from "../../store/approval-requests.js";
import { readRunLines } from "../../store/run-lines.js";
import { readSteps } from "../../store/run-steps.js";
import { listRuns, readRun } from "../../store/runs.js";
import { type Submitted, submitRun } from "../../store/submit-run.js";
import { findHolder } from "../../store/target-locks.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem, misfit } from "../problem.js";
import { runActorOf } from "../run-actor.js";
import {
  RunSchema,
  RunWithStepsSchema,
  toApprovalDocument,
  toLineDocument,
  toLockDocument,
  toRunDocument,
  toStepDocument,
} from "../run-document.js";
import { noSuchRun, runIdOf } from "../run-id.js";
import { AnyObject, Limit, Nullable, PAGE_DEFAULT, Reason } from "../schema.js";

const NewRunSchema = Type.Object(
  {
    runbook: Type.String({ minLength: 1, maxLength: 64, examples: ["rerun-job"] }),
    params: Type.Optional(AnyObject),
    reason: Type.Optional(Reason),
    dry_run: Type.Optional(Type.Boolean({ description: "plan, and change nothing" })),
    drill: Type.Optional(Type.Boolean({ description: "counts towards what the runbook earns" })),
  },
  closed,
);

const QueuedRunSchema = Type.Object({
  ...RunSchema.properties,
  approval_needed: Nullable(
    Type.Object(
      {
        needed: Type.Integer(),
        role: Type.String(),
        team: Nullable(Type.String()),
        within_ms: Type.Integer(),
      },
      { description: "it makes its plan, and waits then until so many people agree" },
    ),
  ),
});

const RunQuerySchema = Type.Object(
  {
    limit: Type.Optional(Limit),
    status: Type.Optional(Type.Unsafe<RunStatus>({ type: "string", enum: [...RUN_STATUSES] })),
    runbook: Type.Optional(Type.String({ pattern: "^[a-z][a-z0-9-]{0,63}$" })),
    before: Type.Optional(
      Type.String({ pattern: "^run-[1-9]\\d{0,14}$", description: "only older ones" }),
    ),
  },
  closed,
);

const LinesQuerySchema = Type.Object(
  { lines_after: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })) },
  closed,
);

export function runRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/runs",
    {
      schema: {
        summary: "Ask for a run of a runbook; the header Idempotency-Key makes a repeat harmless",
        body: NewRunSchema,
        response: { 202: QueuedRunSchema },
      },
    },
    async (request, reply) => {
      const { run, approval } = await start(deps, request);
      return accepted(reply, run, { approval_needed: approval && toRuleDocument(approval) });
    },
  );

  app.get(
    "/api/v1/runs",
    {
      schema: {
        summary: "Runs of runbooks, newest first",
        querystring: RunQuerySchema,
        response: { 200: Type.Object({ runs: Type.Array(RunSchema) }) },
      },
    },
    async (request) => {
      const asked = request.query as Static<typeof RunQuerySchema>;
      const { limit = PAGE_DEFAULT, status, runbook } = asked;
      const before = asked.before === undefined ? undefined : Number(asked.before.slice(4));
      const runs = await listRuns(deps.db, limit, { status, runbook, before });
      return { runs: runs.map(toRunDocument) };
    },
  );

  app.get(
    "/api/v1/runs/:id",
    {
      schema: {
        summary: "A run with its plan, its steps, who agreed, and what it printed",
        querystring: LinesQuerySchema,
        response: { 200: RunWithStepsSchema },
      },
    },
    async (request) => {
      const { lines_after: after = 0 } = request.query as Static<typeof LinesQuerySchema>;
      const id = runIdOf(request);
      const run = await readRun(deps.db, id);
      if (!run) throw noSuchRun(id);
      return showRun(deps, run, after);
    },
  );
}

const LINES_MAX = 1_000;

async function showRun({ db }: WebDeps, run: Run, after: number) {
  // Whoever waits for people holds nothing and is held up by nothing.
  const isWaiting = run.status === "queued" && run.waitingFor === null && run.targets.length > 0;
  const [steps, approval, lines, holder] = await Promise.all([
    readSteps(db, run.seq),
    readApproval(db, run.seq),
    readRunLines(db, run.seq, after, LINES_MAX),
    isWaiting ? findHolder(db, run.seq, run.targets) : null,
  ]);
  return {
    ...toRunDocument(run),
    plan: run.plan,
    approval: approval && toApprovalDocument(approval),
    held_up_by: holder && toLockDocument(holder),
    steps: steps.map(toStepDocument),
    lines: lines.map(toLineDocument),
  };
}

/** 202: it is asked for, and Location says where to look how it goes. */
function accepted(reply: FastifyReply, run: Run, more: object) {
  return reply
    .code(202)
    .header("location", `/api/v1/runs/${run.id}`)
    .send({ ...toRunDocument(run), ...more });
}

function toRuleDocument({ needed, role, team, withinMs }: ApprovalRule) {
  return { needed, role, team, within_ms: withinMs };
}

async function start(
  deps: WebDeps,
  request: FastifyRequest,
): Promise<{ readonly run: Run; readonly approval: ApprovalRule | null }> {
  const body = request.body as Static<typeof NewRunSchema>;
  const { access } = deps.policy();
  const actor = runActorOf(request, access);
  const key = keyOf(request);
  const idempotencyKey = key === undefined ? undefined : `${actor.name} ${key}`;
  const submitted = await submitRun(deps.db, {
    ...{ registry: deps.runbooks, access, actor, idempotencyKey, commit: deps.commit },
    ...{ runbook: body.runbook, params: body.params ?? {}, reason: body.reason },
    ...{ dryRun: body.dry_run ?? false, isDrill: body.drill ?? false },
  });
  if (submitted.outcome === "queued") return submitted;
  if (submitted.outcome === "refused") throw toRefusal(submitted);
  const { run } = submitted;
  if (idempotencyKey !== undefined && run.causeKey === idempotencyKey)
    return { run, approval: null };
  throw new HttpProblem(
    "state-conflict",
    `The same is ${run.status} already as ${run.id}, asked by ${run.actor}: look at it instead.`,
    { headers: { location: `/api/v1/runs/${run.id}` } },
  );
}

const KEY = /^[\x21-\x7e]{1,200}$/;

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && KEY.test(key)) return key;
  throw new HttpProblem(
    "malformed-request",
    "The header Idempotency-Key is not one of 1 to 200 printable characters without spaces.",
  );
}

function toRefusal({
  reason,
  sentence,
}: Extract<Submitted, { readonly outcome: "refused" }>): HttpProblem {
  if (reason === "unknown-runbook") return misfit("body", "/runbook", sentence);
  if (reason === "invalid-parameters") return misfit("body", "/params", sentence);
  const isState = reason === "stopped" || reason === "key-reused";
  return new HttpProblem(isState ? "state-conflict" : "forbidden", sentence);
}
