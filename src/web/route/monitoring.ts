/** What holds the system up and what holds it back (EP-22), and what it measures of itself (EP-23). */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { DAY_MS, HOUR_MS } from "../../base/duration.js";
import { closed, Type } from "../../base/type.js";
import { ALL_QUEUES, listPauses } from "../../store/pauses.js";
import { readPolicySummary } from "../../store/policy-summary.js";
import { readQueueController } from "../../store/queue-controller.js";
import { readSafeMode } from "../../store/safe-mode.js";
import { type SeriesSummary, summarizeSamples } from "../../store/sample-summary.js";
import type { WebDeps } from "../deps.js";
import { DriftSchema, PolicySummarySchema, toSummaryDocument } from "../drift-schema.js";
import { PauseFacts, toPauseDocument } from "../queue-schema.js";
import { AnyObject, Nullable, Time } from "../schema.js";
import { readDuration } from "../time.js";
import { BreakersSchema, readBreakers } from "./breakers.js";

const ResilienceSchema = Type.Object({
  breakers: BreakersSchema,
  queueController: Type.Object({
    pause: Nullable(PauseFacts),
    cap: Type.Object({ max: Type.Integer(), running: Type.Integer() }),
    queues: Type.Array(
      Type.Object({
        name: Type.String(),
        enabled: Type.Boolean({ description: "by the policy in force" }),
        pause: Nullable(PauseFacts),
        waiting: Type.Integer(),
        running: Type.Integer({ description: "held by workers" }),
        buffered: Type.Integer({ description: "of these, waiting in a process for a slot" }),
        workers: Type.Integer({ description: "live processes that take jobs of the type" }),
        concurrency: Nullable(Type.Integer({ description: "slots in each of them" })),
        global_max: Nullable(Type.Integer()),
      }),
    ),
  }),
  safe_mode: Type.Object({
    active: Type.Boolean(),
    reason: Nullable(Type.String()),
    entered_by: Nullable(Type.String()),
    entered_at: Nullable(Time),
  }),
});

const Figures = { last: Type.Number(), min: Type.Number(), max: Type.Number(), avg: Type.Number() };

const TelemetrySchema = Type.Object({
  from: Time,
  to: Time,
  policy: Nullable(PolicySummarySchema),
  drift: Type.Array(DriftSchema, { description: "what holds in this process against the policy" }),
  metrics: Type.Array(
    Type.Object({
      name: Type.String(),
      unit: Type.String(),
      help: Type.String(),
      series: Type.Array(Type.Object({ labels: AnyObject, at: Time, ...Figures })),
    }),
  ),
});

const WindowSchema = Type.Object(
  {
    window: Type.Optional(
      Type.String({ maxLength: 20, examples: ["15m"], description: "default 1h, at most 1d" }),
    ),
  },
  closed,
);
const WINDOW = { place: "query", pointer: "/window", maxMs: DAY_MS, max: "1d" } as const;

export function monitoringRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/monitoring/resilience",
    {
      schema: {
        summary: "Breakers, what the queues are held by, and safe mode",
        response: { 200: ResilienceSchema },
      },
    },
    async () => readResilience(deps),
  );

  app.get(
    "/api/telemetry/dashboard",
    {
      schema: {
        summary:
          "Every metric of the catalogue with its last, least, greatest and mean value, and the policy in force with its drift",
        querystring: WindowSchema,
        response: { 200: TelemetrySchema },
      },
    },
    async (request) => readTelemetry(deps, request.query as Static<typeof WindowSchema>),
  );
}

async function readResilience(deps: WebDeps) {
  const [breakers, queueController, safeMode] = await Promise.all([
    readBreakers(deps),
    readController(deps),
    readSafeMode(deps.db),
  ]);
  const { active, reason, enteredBy, enteredAt } = safeMode;
  const entered = { entered_by: enteredBy, entered_at: enteredAt?.toISOString() ?? null };
  return { breakers, queueController, safe_mode: { active, reason, ...entered } };
}

async function readController({ db, config, ...deps }: WebDeps) {
  const policy = deps.policy();
  const [queues, pauses] = await Promise.all([
    readQueueController(db, policy.healing.workerDeadAfterMs),
    listPauses(db),
  ]);
  const pauseOf = (name: string) => {
    const pause = pauses.find(({ kind }) => kind === name);
    return pause === undefined ? null : toPauseDocument(pause);
  };
  return {
    pause: pauseOf(ALL_QUEUES),
    cap: { max: config.jobsMax, running: queues.reduce((sum, queue) => sum + queue.running, 0) },
    queues: queues.map((queue) => {
      const {
        enabled = false,
        concurrency = null,
        globalMax = null,
      } = policy.workers[queue.name] ?? {};
      return { ...queue, enabled, concurrency, global_max: globalMax, pause: pauseOf(queue.name) };
    }),
  };
}

async function readTelemetry(deps: WebDeps, { window }: Static<typeof WindowSchema>) {
  const to = deps.clock.now();
  const windowMs = window === undefined ? HOUR_MS : readDuration(window, WINDOW);
  const from = new Date(to.getTime() - windowMs);
  const catalogue = Object.values(deps.policy().metrics);
  const names = catalogue.map(({ name }) => name);
  const [summaries, policy] = await Promise.all([
    summarizeSamples(deps.db, names, { from, to }),
    readPolicySummary(deps.db),
  ]);
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    policy: policy === null ? null : toSummaryDocument(policy),
    drift: deps.drift(),
    metrics: catalogue.map(({ name, unit, help }) => ({
      ...{ name, unit, help },
      series: summaries.filter(({ metric }) => metric === name).map(toSeriesDocument),
    })),
  };
}

function toSeriesDocument({ metric: _, at, ...summary }: SeriesSummary) {
  return { ...summary, at: at.toISOString() };
}
