/** The cache, for people: what is in it, and filling it before it is needed (EP-16, EP-17). */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import { appendAudit } from "../../store/audit.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem } from "../problem.js";

/** BQ-cfg-01. */
const WARM_DEFAULT = 100;
const WARM_MAX = 1_000;
const RETRY_AFTER_S = 5;

const WarmSchema = Type.Union([
  Type.Object(
    {
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: WARM_MAX, description: "records at most" }),
      ),
    },
    closed,
  ),
  Type.Null(),
]);
const WarmedSchema = Type.Object({ count: Type.Integer({ description: "entries that are kept" }) });

const CacheStatsSchema = Type.Object({
  store: Type.String({ enum: ["redis", "memory"], description: "memory: of this process alone" }),
  keys: Type.Integer(),
  complete: Type.Boolean({ description: "false: there are more keys than were counted" }),
  hits: Type.Integer(),
  misses: Type.Integer(),
  hit_rate: Type.Union([Type.Number(), Type.Null()], { description: "0–1; null without reads" }),
  oldest_entry: Type.Union([Type.String({ format: "date-time" }), Type.Null()]),
  memory_bytes: Type.Union([Type.Integer(), Type.Null()]),
});

export function cacheRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/admin/cache-stats",
    { schema: { summary: "Size, age and use of the cache", response: { 200: CacheStatsSchema } } },
    async () => readStats(deps),
  );

  app.post(
    "/api/cache/warm",
    {
      schema: {
        summary: "Load the records that were active most recently into the cache",
        body: WarmSchema,
        response: { 200: WarmedSchema },
      },
    },
    async (request) => {
      const body = request.body as Static<typeof WarmSchema>;
      return warm(deps, body?.limit ?? WARM_DEFAULT, actorOf(request));
    },
  );
}

async function readStats({ cache }: WebDeps): Promise<Static<typeof CacheStatsSchema>> {
  const stats = await cache.stats();
  if (stats === null) throw unavailable("Redis does not answer: nothing is known of the cache.");
  const { store, keys, complete, hits, misses, oldestAt, memoryBytes } = stats;
  const reads = hits + misses;
  return {
    ...{ store, keys, complete, hits, misses },
    hit_rate: reads === 0 ? null : hits / reads,
    oldest_entry: oldestAt?.toISOString() ?? null,
    memory_bytes: memoryBytes,
  };
}

async function warm({ db, warmCache }: WebDeps, limit: number, actor: string) {
  const { entries, kept } = await warmCache(limit);
  if (kept < entries) {
    throw unavailable(`Redis kept ${kept} of ${entries} entries: ask again when it answers.`);
  }
  const details = { limit, entries: kept };
  await appendAudit(db, { actor, action: "cache.warmed", target: "cache", details });
  return { count: kept };
}

function unavailable(detail: string): HttpProblem {
  return new HttpProblem("cache-unavailable", detail, { retryAfterS: RETRY_AFTER_S });
}
