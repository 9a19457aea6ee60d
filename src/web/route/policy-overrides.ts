/** Break-glass: single values that hold against the policy in force for a while. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import { OVERRIDE_MAX_MS } from "../../policy/override.js";
import { listOverrides, type PolicyOverride } from "../../store/policy-overrides.js";
import type { PolicyOverrides, WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem, misfit } from "../problem.js";
import { Limit, Nullable, PAGE_DEFAULT, Time } from "../schema.js";
import { readDuration } from "../time.js";

const Value = Type.Unsafe<string | number | boolean>({
  type: ["string", "number", "boolean"],
  description: "as it would be written in the file",
  examples: [120, "15m", false],
});

const OverrideSchema = Type.Object({
  id: Type.Integer(),
  path: Type.String(),
  value: Type.Unknown(),
  was: Type.Unknown({ description: "what the policy said when it began; null: nothing" }),
  reason: Type.String(),
  owner: Type.String(),
  created_at: Time,
  expires_at: Time,
  ended_at: Nullable(Time),
  ended_by: Nullable(Type.String()),
});

const NewOverrideSchema = Type.Object(
  {
    path: Type.String({ minLength: 3, maxLength: 300, examples: ["workers.index.concurrency"] }),
    value: Value,
    reason: Type.String({ minLength: 1, maxLength: 500 }),
    owner: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: "default: who asks" }),
    ),
    for: Type.String({ maxLength: 20, examples: ["4h"], description: "at most 72h" }),
  },
  closed,
);

const BegunSchema = Type.Object({
  override: OverrideSchema,
  pull_request: Nullable(Type.String({ description: "writes it back; null: see `note`" })),
  note: Nullable(Type.String()),
});

const ListSchema = Type.Object({ limit: Type.Optional(Limit) }, closed);
/** Within what a bigint column holds, and JavaScript counts exactly. */
const ID = /^[1-9]\d{0,14}$/;

export function policyOverrideRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/policy/overrides",
    {
      schema: {
        summary: "Emergency settings, newest first, those that ended too",
        querystring: ListSchema,
        response: { 200: Type.Object({ overrides: Type.Array(OverrideSchema) }) },
      },
    },
    async (request) => {
      const { limit = PAGE_DEFAULT } = request.query as Static<typeof ListSchema>;
      return { overrides: (await listOverrides(deps.db, limit)).map(toDocument) };
    },
  );
  beginRoute(app, deps);
  app.delete(
    "/api/v1/policy/overrides/:id",
    { schema: { summary: "End an emergency setting now", response: { 200: OverrideSchema } } },
    async (request) => {
      const { id } = request.params as { id: string };
      const ended = ID.test(id) ? await ways(deps).end(Number(id), actorOf(request)) : null;
      if (ended === null) {
        const detail =
          "No emergency setting of this number holds; GET /api/v1/policy/overrides names them.";
        throw new HttpProblem("not-found", detail);
      }
      return toDocument(ended);
    },
  );
}

function beginRoute(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/policy/overrides",
    {
      schema: {
        summary: "Let one value hold at once, for three days at most, and ask for its pull request",
        body: NewOverrideSchema,
        response: { 201: BegunSchema },
      },
    },
    async (request, reply) => reply.code(201).send(await begin(deps, request)),
  );
}

async function begin(deps: WebDeps, request: FastifyRequest) {
  const body = request.body as Static<typeof NewOverrideSchema>;
  const by = actorOf(request);
  const forMs = readDuration(body.for, { pointer: "/for", maxMs: OVERRIDE_MAX_MS, max: "72h" });
  const { path, value, reason, owner = by } = body;
  const answer = await ways(deps).begin({ path, value, reason, owner, forMs, by });
  if (answer.outcome === "refused") throw misfit("body", "/path", answer.sentence);
  if (answer.outcome === "taken") {
    const detail = `An emergency setting of ${path} holds already: end it first, so that its owner knows.`;
    throw new HttpProblem("state-conflict", detail);
  }
  const { writeBack } = answer;
  return {
    override: toDocument(answer.override),
    pull_request: "url" in writeBack ? writeBack.url : null,
    note: "none" in writeBack ? writeBack.none : null,
  };
}

function ways({ overrides }: WebDeps): PolicyOverrides {
  if (overrides) return overrides;
  throw new HttpProblem(
    "not-configured",
    "This process changes no policy: ask the one that serves.",
  );
}

function toDocument(override: PolicyOverride) {
  const { id, path, value, was, reason, owner } = override;
  return {
    ...{ id, path, value, was, reason, owner },
    created_at: override.createdAt.toISOString(),
    expires_at: override.expiresAt.toISOString(),
    ended_at: override.endedAt?.toISOString() ?? null,
    ended_by: override.endedBy,
  };
}
