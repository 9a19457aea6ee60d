/**
 * Numbers that may be changed over the API: what they are, and a pull request for what they are to be. Git stays the
 * truth, so nothing here touches what is in force (X-06, EP-06, EP-07).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { formatProblem } from "../../base/problem.js";
import { closed, Type } from "../../base/type.js";
import { RISKS } from "../../policy/change.js";
import { type PolicyPath, parsePolicyPath } from "../../policy/path.js";
import type { Retention } from "../../policy/policy.js";
import { worstRisk } from "../../policy/risk.js";
import { RetentionFile } from "../../policy/schema/runtime.js";
import type { Scalar } from "../../policy/tree.js";
import type { ChangeOutcome, WantedChange } from "../../review/change-request.js";
import { listOpenChanges } from "../../store/config-changes.js";
import { readPolicyInForce } from "../../store/policies.js";
import type { WebDeps } from "../deps.js";
import { asUnavailable, GITHUB_MS } from "../github-unavailable.js";
import { actorOf } from "../guard.js";
import { HttpProblem, misfit } from "../problem.js";
import { Nullable, Reason } from "../schema.js";

/** The four of HB-cfg-01…04, by what the runtime calls them. */
const GC_KEYS = {
  events_retention_days: "eventsDays",
  jobs_retention_days: "jobsDays",
  healdec_logs_retention_days: "healdecLogsDays",
  quarantined_jobs_retention_days: "quarantinedJobsDays",
} as const satisfies Record<string, keyof Retention>;
type GcKey = keyof typeof GC_KEYS;

const Days = Type.Optional(RetentionFile.properties.events_retention_days);
const GcChangeSchema = Type.Object(
  {
    events_retention_days: Days,
    jobs_retention_days: Days,
    healdec_logs_retention_days: Days,
    quarantined_jobs_retention_days: Days,
  },
  { ...closed, minProperties: 1 },
);

const ChangesSchema = Type.Object(
  {
    changes: Type.Array(
      Type.Object(
        {
          path: Type.String({
            ...{ minLength: 1, maxLength: 300 },
            examples: ["alerts.queue-depth-high.levels.high.value"],
          }),
          value: Type.Union([
            Type.String({ maxLength: 1_000 }),
            Type.Number(),
            Type.Boolean(),
            Type.Null(),
          ]),
        },
        closed,
      ),
      { minItems: 1, maxItems: 20 },
    ),
    environment: Type.Optional(Type.String({ pattern: "^[a-z][a-z0-9-]{0,40}$" })),
    reason: Reason,
  },
  closed,
);

const PullRequestSchema = Type.Object({ number: Type.Integer(), url: Type.String() });
const OpenedSchema = Type.Object({
  pull_request: PullRequestSchema,
  created: Type.Boolean({ description: "false: it was asked for before, and this is that one" }),
  risk: Nullable(Type.String({ enum: [...RISKS] })),
  changes: Type.Array(
    Type.Object({ risk: Type.String(), subject: Type.String(), words: Type.String() }),
  ),
  diff: Type.Array(
    Type.Object({
      file: Type.String(),
      line: Type.Integer(),
      before: Type.String(),
      after: Type.String(),
    }),
  ),
});
const UnchangedSchema = Type.Object({ outcome: Type.Literal("nothing-to-change") });
const GcSchema = Type.Object({
  values: Type.Record(Type.String(), Type.Integer({ description: "days" })),
  origin: Nullable(Type.String({ description: "where the policy in force was read" })),
  in_force: Nullable(
    Type.Object({
      revision: Type.Integer(),
      digest: Type.String(),
      commit: Nullable(Type.String()),
    }),
  ),
  pending: Nullable(Type.Object({ pull_request: PullRequestSchema })),
});

const GC_REASON = "asked for over PATCH /api/v1/config/gc";

export function configRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/config/gc",
    {
      schema: {
        summary: "How long things are kept, and since which commit",
        response: { 200: GcSchema },
      },
    },
    async () => readGc(deps),
  );

  const answers = { 200: UnchangedSchema, 202: OpenedSchema };
  app.patch(
    "/api/v1/config/gc",
    {
      schema: {
        summary: "Open a pull request that changes how long things are kept",
        body: GcChangeSchema,
        response: answers,
      },
    },
    async (request, reply) => {
      const body = request.body as Static<typeof GcChangeSchema>;
      const changes = Object.entries(body).map(([key, value]) => ({
        path: ["retention", key] as const,
        value,
      }));
      const { environment } = deps.config;
      return propose(deps, request, reply, { changes, environment, reason: GC_REASON });
    },
  );

  app.post(
    "/api/v1/config/changes",
    {
      schema: {
        summary: "Open a pull request that changes values of the policies",
        body: ChangesSchema,
        response: answers,
      },
    },
    async (request, reply) => {
      const body = request.body as Static<typeof ChangesSchema>;
      const { reason, environment = deps.config.environment } = body;
      const changes = body.changes.map(({ path, value }, at) => ({
        path: readPath(path, at),
        value: value as Scalar,
      }));
      return propose(deps, request, reply, { changes, environment, reason });
    },
  );
}

function readPath(text: string, at: number): PolicyPath {
  const path = parsePolicyPath(text);
  if (path !== null && path.length > 1) return path;
  const expected = "expected a path such as retention.events_retention_days";
  throw misfit("body", `/changes/${at}/path`, `found ${JSON.stringify(text)}, ${expected}`);
}

interface Wish {
  readonly changes: readonly WantedChange[];
  readonly environment: string;
  readonly reason: string;
}

async function propose(
  { proposeChange }: WebDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  wish: Wish,
) {
  if (proposeChange === null) throw notConfigured(wish);
  const by = actorOf(request);
  const signal = AbortSignal.timeout(GITHUB_MS);
  const outcome = await proposeChange({ ...wish, by }, signal).catch((error: unknown) => {
    throw asUnavailable(error);
  });
  if (outcome.outcome === "nothing-to-change") return { outcome: outcome.outcome };
  if (outcome.outcome === "invalid") throw invalid(outcome.problems);
  return reply.code(202).send(toDocument(outcome));
}

function toDocument(
  outcome: Extract<ChangeOutcome, { outcome: "opened" | "already-open" }>,
): Static<typeof OpenedSchema> {
  const { pullRequest, changes, edited } = outcome;
  return {
    pull_request: { number: pullRequest.number, url: pullRequest.url },
    created: outcome.outcome === "opened",
    risk: worstRisk(changes),
    changes: changes.map(({ risk, subject, words }) => ({ risk, subject, words })),
    diff: edited.map(({ file, line, before, after }) => ({ file: file.path, line, before, after })),
  };
}

function notConfigured({ changes }: Wish): HttpProblem {
  const [section] = changes[0]!.path;
  return new HttpProblem(
    "gitops-not-configured",
    "No repository is configured that a change could be proposed to: set GITOPS_REPO, and GITHUB_TOKEN or the three " +
      `GITHUB_APP_* variables; or edit ${section} in policies/ yourself and open a pull request.`,
  );
}

function invalid(
  problems: Extract<ChangeOutcome, { outcome: "invalid" }>["problems"],
): HttpProblem {
  const errors = problems.slice(0, 20).map((problem) => ({
    pointer: "",
    message: formatProblem(problem),
  }));
  return new HttpProblem("invalid-body", "With this change the policies would not be valid.", {
    errors,
  });
}

async function readGc({ db, policy, config }: WebDeps): Promise<Static<typeof GcSchema>> {
  const { retention } = policy();
  const inForce = await readPolicyInForce(db);
  const open = await listOpenChanges(db);
  const pending = open.find(
    ({ environment, values }) =>
      environment === config.environment &&
      Object.keys(values).some((path) => Object.hasOwn(GC_KEYS, path.replace("retention.", ""))),
  );
  return {
    values: Object.fromEntries(
      Object.entries(GC_KEYS).map(([key, name]) => [key as GcKey, retention[name]]),
    ),
    origin: inForce?.source ?? null,
    in_force: inForce && {
      revision: inForce.revision,
      digest: inForce.digest,
      commit: inForce.commit,
    },
    pending:
      pending?.number != null && pending.url !== null
        ? { pull_request: { number: pending.number, url: pending.url } }
        : null,
  };
}
