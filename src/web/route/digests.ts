/** Everything that a digest stands for: the message names the first kinds, this names every group in it. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import { toPlain } from "../../message/plain.js";
import { SEVERITIES } from "../../policy/policy.js";
import { listDigestEntries, type StoredEntry } from "../../store/digests.js";
import { type Notice, readNotice } from "../../store/notices.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem } from "../problem.js";
import { Nullable, Time } from "../schema.js";

const PAGE_DEFAULT = 200;
const PAGE_MAX = 1_000;

const ParamsSchema = Type.Object({ id: Type.Integer({ minimum: 1 }) }, closed);

const QuerySchema = Type.Object(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, description: "`next` of the page before" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX })),
  },
  closed,
);

const DigestSchema = Type.Object({
  id: Type.Integer(),
  receiver: Type.String(),
  status: Type.String({ enum: ["pending", "sent", "dead"] }),
  at: Time,
  sent_at: Nullable(Time),
  alerts: Type.Integer({ description: "of all pages" }),
  text: Type.String({ description: "as the receiver was told" }),
  entries: Type.Array(
    Type.Object({
      group: Type.String({ examples: ["queue-depth-high/all"] }),
      rule: Type.String(),
      level: Nullable(Type.String()),
      severity: Type.String({ enum: [...SEVERITIES] }),
      action: Type.String({ enum: ["trigger", "resolve"] }),
      reason: Type.String(),
      alerts: Type.Integer(),
      instances: Type.Array(Type.String(), { description: "at most the first 200" }),
      at: Time,
    }),
  ),
  next: Nullable(Type.Integer({ description: "for `after`; null: this is the last page" })),
});

export function digestRoutes(app: FastifyInstance, { db }: WebDeps): void {
  app.get(
    "/api/v1/alerts/digests/:id",
    {
      schema: {
        summary: "The alerts that were told together in one message",
        params: ParamsSchema,
        querystring: QuerySchema,
        response: { 200: DigestSchema },
      },
    },
    async (request) => {
      const { id } = request.params as Static<typeof ParamsSchema>;
      const { after = 0, limit = PAGE_DEFAULT } = request.query as Static<typeof QuerySchema>;
      const notice = await readNotice(db, id);
      if (notice?.reason !== "digest")
        throw new HttpProblem("not-found", `There is no digest ${id}.`);
      return toDocument(notice, await listDigestEntries(db, { noticeId: id, after, limit }), limit);
    },
  );
}

function toDocument(notice: Notice, entries: readonly StoredEntry[], limit: number) {
  const { id, receiver, status, createdAt, sentAt, alerts, message } = notice;
  return {
    ...{ id, receiver, status, alerts, text: toPlain(message) },
    at: createdAt.toISOString(),
    sent_at: sentAt?.toISOString() ?? null,
    entries: entries.map(({ groupKey, at, ...entry }) => ({
      ...{ group: groupKey, rule: entry.rule, level: entry.level, severity: entry.severity },
      ...{ action: entry.action, reason: entry.reason, alerts: entry.alerts },
      instances: [...entry.instances],
      at: at.toISOString(),
    })),
    next: entries.length === limit ? entries.at(-1)!.id : null,
  };
}
