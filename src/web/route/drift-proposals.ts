/**
 * What a look at drift has found, told to the runtime, which opens and closes the pull requests for it. Whoever may call
 * this may nothing else but read; it changes nothing that is in force, and people merge or refuse what comes of it.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import { closed, Type } from "../../base/type.js";
import type { ToldDrift } from "../../review/infra/drift-proposals.js";
import type { WebDeps } from "../deps.js";
import { asUnavailable, GITHUB_MS } from "../github-unavailable.js";
import { callerOf } from "../guard.js";
import { HttpProblem, misfit } from "../problem.js";
import { Nullable, Time } from "../schema.js";

const Address = Type.String({
  pattern: "^aws_[a-z0-9_]{1,80}\\.[A-Za-z0-9_-]{1,120}$",
  examples: ["aws_appautoscaling_target.workers-scaling-target"],
});

/** A whole estate has far fewer that could be proposed. */
const VALUES_MAX = 50;

const LookSchema = Type.Object(
  {
    environment: Type.String({ pattern: "^[a-z][a-z0-9-]{0,40}$" }),
    looked_at: Time,
    values: Type.Array(
      Type.Object(
        {
          address: Address,
          attribute: Type.String({
            pattern: "^[a-z][a-z0-9_.\\[\\]]{0,119}$",
            examples: ["max_capacity"],
          }),
          value: Type.Number({ minimum: 0, maximum: 1_000_000, description: "what runs" }),
        },
        closed,
      ),
      { maxItems: VALUES_MAX, description: "sizes that differ, and that nobody stands for" },
    ),
    held: Type.Array(Address, {
      maxItems: VALUES_MAX,
      description: "what differs too and nothing is proposed for",
    }),
  },
  closed,
);
type Look = Static<typeof LookSchema>;

const PlaceSchema = Type.Object({ number: Type.Integer(), url: Type.String() });
const ToldSchema = Type.Object({
  proposals: Type.Array(
    Type.Object({
      path: Type.String({ description: "of the policies" }),
      value: Type.Number(),
      outcome: Type.String({ enum: ["opened", "open", "refused", "none"] }),
      pull_request: Nullable(PlaceSchema),
      why: Nullable(Type.String()),
    }),
  ),
  ended: Type.Array(
    Type.Object({
      path: Type.String(),
      outcome: Type.String({ enum: ["closed", "merged", "left"] }),
      pull_request: PlaceSchema,
      why: Type.String(),
    }),
  ),
});

/** What was seen earlier may have been put right since. */
const OLDEST_MS = 2 * HOUR_MS;
/** Two clocks differ. A later one would shut out the looks that follow. */
const AHEAD_MS = 5 * MINUTE_MS;
const RETRY_AFTER_S = 30;

export function driftProposalRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/drift/proposals",
    {
      schema: {
        summary:
          "Tell what a look at drift has found: a pull request for each size is opened, found or closed",
        body: LookSchema,
        response: { 200: ToldSchema },
      },
    },
    async (request) => tell(deps, request),
  );
}

async function tell(deps: WebDeps, request: FastifyRequest): Promise<Static<typeof ToldSchema>> {
  const body = request.body as Look;
  const lookedAt = readTime(deps, body);
  const { proposeDrift = null } = deps;
  if (proposeDrift === null) throw notConfigured();
  const look = {
    ...{ environment: body.environment, values: body.values, held: body.held, lookedAt },
    by: callerOf(request).subject,
  };
  const told = await proposeDrift(look, AbortSignal.timeout(GITHUB_MS)).catch((error: unknown) => {
    throw asUnavailable(error);
  });
  switch (told.outcome) {
    case "told":
      return toDocument(told);
    case "unknown":
      throw misfit(
        "body",
        "/values",
        "one is no size that may be proposed, or two mean the same: tell what infra drift of this version finds",
      );
    case "busy":
      throw new HttpProblem("busy", "Another look at drift is being told.", {
        retryAfterS: RETRY_AFTER_S,
      });
    case "older":
      throw new HttpProblem("state-conflict", "A later look has been told already: look again.");
  }
}

function readTime({ config, clock }: WebDeps, { environment, looked_at }: Look): Date {
  if (environment !== config.environment)
    throw misfit(
      "body",
      "/environment",
      `found ${environment}, expected ${config.environment}: each environment has a runtime of its own`,
    );
  const lookedAt = new Date(looked_at);
  const now = clock.now().getTime();
  if (lookedAt.getTime() > now + AHEAD_MS || lookedAt.getTime() < now - OLDEST_MS)
    throw misfit("body", "/looked_at", `found ${looked_at}, expected a look of the last two hours`);
  return lookedAt;
}

function notConfigured(): HttpProblem {
  return new HttpProblem(
    "gitops-not-configured",
    "No repository is configured that a change could be proposed to: set GITOPS_REPO, and GITHUB_TOKEN or the three GITHUB_APP_* variables.",
  );
}

function toDocument({ proposals, ended }: ToldDrift): Static<typeof ToldSchema> {
  return {
    proposals: proposals.map(({ pullRequest, ...rest }) => ({
      ...rest,
      pull_request: pullRequest,
    })),
    ended: ended.map(({ number, url, ...rest }) => ({ ...rest, pull_request: { number, url } })),
  };
}
