/** What was changed past Git for a while: whoever reads a plan sees by this what of its drift is known. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import {
  listAllTemporaryChanges,
  listTemporaryChanges,
  type TemporaryChange,
} from "../../store/temporary-changes.js";
import type { WebDeps } from "../deps.js";
import { Limit, Nullable, PAGE_DEFAULT, Time } from "../schema.js";

const ChangeSchema = Type.Object({
  id: Type.Integer(),
  environment: Type.String(),
  target: Type.String({ examples: ["ecs service workers"] }),
  attribute: Type.String({ examples: ["desired_count"] }),
  before: Type.Unknown(),
  after: Type.Unknown(),
  reason: Type.String(),
  owner: Type.String(),
  run_id: Nullable(Type.String({ examples: ["run-17"] })),
  made_at: Time,
  expires_at: Time,
  ended_at: Nullable(Time),
  end_reason: Nullable(Type.String()),
});

const ListSchema = Type.Object(
  {
    limit: Type.Optional(Limit),
    state: Type.Optional(
      Type.Unsafe<"in-force" | "all">({
        ...{ type: "string", enum: ["in-force", "all"], default: "in-force" },
        description: "all: those that ended too, newest first",
      }),
    ),
  },
  closed,
);

export function temporaryChangeRoutes(app: FastifyInstance, { db }: WebDeps): void {
  app.get(
    "/api/v1/temporary-changes",
    {
      schema: {
        summary: "What runbooks changed for a while past Git, oldest first",
        querystring: ListSchema,
        response: { 200: Type.Object({ changes: Type.Array(ChangeSchema) }) },
      },
    },
    async (request) => {
      const { limit = PAGE_DEFAULT, state } = request.query as Static<typeof ListSchema>;
      const found =
        state === "all" ? await listAllTemporaryChanges(db, limit) : await listTemporaryChanges(db);
      return { changes: found.map(toDocument) };
    },
  );
}

function toDocument(change: TemporaryChange) {
  const { id, environment, target, attribute, before, after, reason, owner } = change;
  return {
    ...{ id, environment, target, attribute, before, after, reason, owner },
    run_id: change.runId,
    made_at: change.madeAt.toISOString(),
    expires_at: change.expiresAt.toISOString(),
    ended_at: change.endedAt?.toISOString() ?? null,
    end_reason: change.endReason,
  };
}
