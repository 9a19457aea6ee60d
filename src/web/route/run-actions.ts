/** What people say and order about a run: agree, deny, end it, take back what it did. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import type { Decision, VoteReason } from "../../runbook/approval.js";
import { type Cast, castVote } from "../../store/approvals.js";
import { cancelRunAs, type OrderRefused, type RunOrder, undoRunAs } from "../../store/order-run.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem, type ProblemCode } from "../problem.js";
import { claimOf, runActorOf } from "../run-actor.js";
import { RunSchema, toRunDocument } from "../run-document.js";
import { runIdOf } from "../run-id.js";
import { Reason } from "../schema.js";

const BoundHash = Type.String({
  pattern: "^[0-9a-f]{64}$",
  description: "bound_hash of the plan that you saw: GET /api/v1/runs/:id shows it",
});
const ApproveSchema = Type.Object({ bound_hash: BoundHash, reason: Type.Optional(Reason) }, closed);
const DenySchema = Type.Object({ reason: Reason, bound_hash: Type.Optional(BoundHash) }, closed);
const VotedSchema = Type.Object({
  id: Type.String(),
  reason: Type.String({ description: "counted, approved or denied" }),
  detail: Type.String(),
  votes: Type.Integer({ description: "people who agree" }),
});
const OrderSchema = Type.Object({ reason: Reason }, closed);
const CancelledSchema = Type.Object({
  ...RunSchema.properties,
  detail: Type.String(),
});

export function runActionRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/runs/:id/approve",
    {
      schema: {
        summary: "Agree to what a run would do; who asked for it cannot",
        body: ApproveSchema,
        response: { 200: VotedSchema },
      },
    },
    async (request) => vote(deps, request, "approve"),
  );
  app.post(
    "/api/v1/runs/:id/deny",
    {
      schema: { summary: "One no ends it", body: DenySchema, response: { 200: VotedSchema } },
    },
    async (request) => vote(deps, request, "deny"),
  );
  app.post(
    "/api/v1/runs/:id/cancel",
    {
      schema: {
        summary: "End a run; what can be taken back is taken back",
        body: OrderSchema,
        response: { 202: CancelledSchema },
      },
    },
    async (request, reply) => {
      const order = orderOf(deps, request);
      const answer = await deps.db.transaction((tx) => cancelRunAs(tx, order));
      if (answer.outcome === "refused") throw toProblem(answer);
      return reply.code(202).send({ ...toRunDocument(answer.run), detail: answer.sentence });
    },
  );
  app.post(
    "/api/v1/runs/:id/undo",
    {
      schema: {
        summary: "Take back what a run did, by a run of its own",
        body: OrderSchema,
        response: { 202: RunSchema },
      },
    },
    async (request, reply) => {
      const order = orderOf(deps, request);
      const answer = await deps.db.transaction((tx) => undoRunAs(tx, order));
      if (answer.outcome === "refused") throw toProblem(answer);
      const { run } = answer;
      return reply.code(202).header("location", `/api/v1/runs/${run.id}`).send(toRunDocument(run));
    },
  );
}

function orderOf(deps: WebDeps, request: FastifyRequest): RunOrder {
  const { reason } = request.body as Static<typeof OrderSchema>;
  const { access } = deps.policy();
  const actor = runActorOf(request, access);
  return { id: runIdOf(request), actor, reason, registry: deps.runbooks, access };
}

async function vote(deps: WebDeps, request: FastifyRequest, decision: Decision) {
  const body = request.body as Static<typeof ApproveSchema> | Static<typeof DenySchema>;
  const runId = runIdOf(request);
  const cast = await castVote(deps.db, {
    ...{ claim: claimOf(request), runId, decision, nonce: null },
    ...{ boundHash: body.bound_hash ?? null, reason: body.reason },
    ...{ access: deps.policy().access, registry: deps.runbooks },
  });
  if (!cast.accepted) throw toVoteProblem(cast);
  return { id: runId, reason: cast.reason, detail: cast.sentence, votes: cast.votes };
}

/** Those that say who may not; the others say that it is not the moment. */
const NOT_THEIRS: readonly VoteReason[] = [
  "requester",
  "not-an-approver",
  "unknown-person",
  "door-not-allowed",
];

function toVoteProblem({ reason, sentence }: Cast): HttpProblem {
  if (reason === "unknown-run") return new HttpProblem("not-found", sentence);
  return new HttpProblem(NOT_THEIRS.includes(reason) ? "forbidden" : "state-conflict", sentence);
}

const ORDER_PROBLEMS: Readonly<Record<OrderRefused["reason"], ProblemCode>> = {
  "unknown-run": "not-found",
  "not-allowed": "forbidden",
  "not-possible": "state-conflict",
};

function toProblem({ reason, sentence }: OrderRefused): HttpProblem {
  return new HttpProblem(ORDER_PROBLEMS[reason], sentence);
}
