/** Breakers of the systems that we call: how they are, closing one, and, in development, forcing one open (EP-18…20). */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { BREAKER_STATES, CLOSED } from "../../base/breaker.js";
import { DAY_MS } from "../../base/duration.js";
import { didYouMean } from "../../base/similar.js";
import { closed, Type } from "../../base/type.js";
import { DEPENDENCY_KINDS } from "../../policy/policy.js";
import { type Dependency, listDependencies } from "../../store/dependencies.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";

const State = Type.String({ enum: [...BREAKER_STATES] });
const NullableNumber = Type.Union([Type.Number(), Type.Null()]);
const NullableText = Type.Union([Type.String(), Type.Null()]);
const figures = {
  state: State,
  tokens: Type.Integer({ description: "probes that a half open breaker still lets through" }),
  successRate: NullableNumber,
  p95Latency: Type.Union([Type.Number(), Type.Null()], { description: "milliseconds" }),
};

export const BreakersSchema = Type.Object({
  ...figures,
  dependencies: Type.Array(
    Type.Object({
      name: Type.String({ examples: ["slack", "webhook/hook"] }),
      ...figures,
      reason: NullableText,
      next_at: NullableText,
      gate_until: NullableText,
      changed_at: Type.String(),
      changed_by: Type.String(),
      measured_at: NullableText,
    }),
  ),
});

const ResetSchema = Type.Object(
  {
    dependency: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    reason: Type.String({ minLength: 1, maxLength: 500 }),
    gate: Type.Optional(Type.Boolean({ description: "also call it although it asked us to wait" })),
  },
  closed,
);

const ForceSchema = Type.Object(
  {
    dependency: Type.String({ minLength: 1, maxLength: 100, examples: ["slack"] }),
    durationMs: Type.Integer({ minimum: 1, maximum: DAY_MS }),
  },
  closed,
);

export function breakerRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/admin/circuit-breaker-status",
    {
      schema: {
        summary: "How each system that we call is; above them the one that is worst",
        response: { 200: BreakersSchema },
      },
    },
    async () => readBreakers(deps),
  );
  resetRoute(app, deps);
  if (deps.config.environment === "local") forceRoute(app, deps);
}

function resetRoute(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/admin/reset-circuit-breaker",
    {
      schema: {
        summary: "Close a breaker, or all of them, because the other side is well again",
        body: ResetSchema,
        response: { 200: BreakersSchema },
      },
    },
    async (request) => {
      const {
        dependency = null,
        reason,
        gate = false,
      } = request.body as Static<typeof ResetSchema>;
      const by = actorOf(request);
      const changed = await deps.breakers.reset({ dependency, by, reason, gate });
      if (changed === null) throw await unknownDependency(deps, dependency ?? "");
      return readBreakers(deps);
    },
  );
}

/** Development only (AL-op-03): elsewhere there is no such route. */
function forceRoute(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/test/force-breaker-open",
    {
      schema: {
        summary: "Open a breaker for a while, to see what waits",
        body: ForceSchema,
        response: { 200: BreakersSchema },
      },
    },
    async (request) => {
      const { dependency, durationMs } = request.body as Static<typeof ForceSchema>;
      if (!namesOf(deps).includes(dependency)) throw await unknownDependency(deps, dependency);
      await deps.breakers.forceOpen({ dependency, durationMs, by: actorOf(request) });
      return readBreakers(deps);
    },
  );
}

/** What this policy may call. */
function namesOf({ policy }: WebDeps): string[] {
  const receivers = Object.values(policy().routes.receivers);
  const webhooks = receivers.filter(({ kind }) => kind === "webhook");
  return [
    ...DEPENDENCY_KINDS.filter((kind) => kind !== "webhook"),
    ...webhooks.map(({ name }) => `webhook/${name}`),
  ];
}

async function unknownDependency(deps: WebDeps, name: string): Promise<HttpProblem> {
  const rows = await listDependencies(deps.db);
  const known = [...new Set([...namesOf(deps), ...rows.map((row) => row.name)])];
  const hint = didYouMean(name, known) ?? `known are ${known.join(", ")}.`;
  return new HttpProblem(
    "not-found",
    `There is no breaker of ${JSON.stringify(name.slice(0, 40))} to change; ${hint}`,
  );
}

export async function readBreakers({ db }: WebDeps) {
  const rows = await listDependencies(db);
  const badness = ({ breaker }: Dependency) =>
    ["closed", "half_open", "open"].indexOf(breaker.state);
  const [worst] = [...rows].sort((a, b) => badness(b) - badness(a));
  return { ...figuresOf(worst), dependencies: rows.map(toDocument) };
}

function figuresOf(row: Dependency | undefined) {
  const { state, tokens } = row?.breaker ?? CLOSED;
  const { successRate = null, p95Ms = null } = row?.stats ?? {};
  return { state, tokens, successRate, p95Latency: p95Ms };
}

function toDocument(row: Dependency) {
  const { reason, nextAt, gateUntil } = row.breaker;
  return {
    name: row.name,
    ...figuresOf(row),
    reason,
    next_at: nextAt?.toISOString() ?? null,
    gate_until: gateUntil?.toISOString() ?? null,
    changed_at: row.changedAt.toISOString(),
    changed_by: row.changedBy,
    measured_at: row.measuredAt?.toISOString() ?? null,
  };
}
