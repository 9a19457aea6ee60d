/**
 * Samples from outside: a probe that looks at us from elsewhere, a script that knows a number of its own. And what is
 * kept of all of them, a day of a series at a time as it is stored: adapter/api-history reads it for backtests.
 */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { DAY_MS } from "../../base/duration.js";
import { closed, Type } from "../../base/type.js";
import { readSampleDays } from "../../store/sample-days.js";
import { insertSamples } from "../../store/samples.js";
import type { WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import { HttpProblem, misfit } from "../problem.js";
import { judgePushed } from "../pushed-samples.js";

const SAMPLES_MAX = 1_000;
/** A moment is a row: whoever sends a long past sends it in parts. */
const MOMENTS_MAX = 60;
/** Of a refusal's list: the first say what is wrong with the rest. */
const FINDINGS_SHOWN = 20;

const LabelsSchema = Type.Record(
  Type.String({ pattern: "^[a-z][a-z0-9_]{0,63}$" }),
  Type.String({ minLength: 1, maxLength: 200 }),
  { maxProperties: 10 },
);

const PushSchema = Type.Object(
  {
    samples: Type.Array(
      Type.Object(
        {
          metric: Type.String({
            ...{ minLength: 1, maxLength: 200 },
            examples: ["algobrain.service.reachable"],
          }),
          labels: Type.Optional(LabelsSchema),
          at: Type.Optional(
            Type.String({
              ...{ maxLength: 40, examples: ["2026-01-31T12:00:00Z"] },
              description: "ISO 8601 with a zone, at most an hour ago; default: now",
            }),
          ),
          value: Type.Number(),
        },
        closed,
      ),
      { minItems: 1, maxItems: SAMPLES_MAX },
    ),
  },
  closed,
);

const PushedSchema = Type.Object({
  accepted: Type.Integer(),
  refused: Type.Array(Type.Object({ index: Type.Integer(), why: Type.String() })),
  over_limit: Type.Integer({
    description: "samples of series that the limits of monitoring.yaml (samples) have no room for",
  }),
});

/** Some megabytes an answer. */
const PAGE_SERIES = 20;
const HISTORY_MAX_MS = 31 * DAY_MS;
/** Years of four digits. */
const TIME_MAX_MS = Date.UTC(9999, 11, 31);

const HistoryQuerySchema = Type.Object(
  {
    metric: Type.String({ minLength: 1, maxLength: 200 }),
    from: Type.String({ format: "date-time", description: "excluded" }),
    to: Type.String({ format: "date-time", description: "included; at most 31 days later" }),
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_147_483_647,
        description: "`next` of the page before",
      }),
    ),
  },
  closed,
);

const HistorySchema = Type.Object({
  series: Type.Array(
    Type.Object({
      labels: Type.Record(Type.String(), Type.String()),
      days: Type.Array(
        Type.Object({
          day: Type.String({ format: "date", description: "UTC; whole, also beyond from and to" }),
          data: Type.String({ description: "a chunk (docs/decisions/0043) in base64" }),
        }),
      ),
    }),
  ),
  next: Type.Union([Type.Integer(), Type.Null()], { description: "null: that was the last page" }),
});

export function sampleRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/samples",
    {
      schema: {
        summary: "Hand in samples of metrics whose source is outside",
        body: PushSchema,
        response: { 200: PushedSchema },
      },
    },
    async (request) => {
      const { samples } = request.body as Static<typeof PushSchema>;
      return push(deps, samples, `push/${actorOf(request)}`);
    },
  );

  app.get(
    "/api/v1/samples/history",
    {
      schema: {
        summary: "What was measured of a metric: compressed days, some series a page",
        querystring: HistoryQuerySchema,
        response: { 200: HistorySchema },
      },
    },
    async (request) => readHistory(deps, request.query as Static<typeof HistoryQuerySchema>),
  );
}

async function readHistory(
  { db }: WebDeps,
  { metric, from: fromText, to: toText, after = 0 }: Static<typeof HistoryQuerySchema>,
): Promise<Static<typeof HistorySchema>> {
  const [from, to] = [new Date(fromText), new Date(toText)];
  if (!(from.getTime() >= 0 && to.getTime() <= TIME_MAX_MS))
    throw misfit("query", "/from", "must be a time with a zone, after 1970, as must `to`");
  const span = to.getTime() - from.getTime();
  if (!(span > 0 && span <= HISTORY_MAX_MS))
    throw misfit("query", "/to", "must be after `from`, and at most 31 days");
  const limit = PAGE_SERIES;
  const series = await readSampleDays(db, { metric, from, to, after, limit });
  return {
    series: series.map(({ labels, days }) => ({
      labels,
      days: days.map(({ dayMs, data }) => ({
        day: new Date(dayMs).toISOString().slice(0, 10),
        data: Buffer.from(data).toString("base64"),
      })),
    })),
    next: series.length < limit ? null : series.at(-1)!.id,
  };
}

async function push(
  { db, policy, clock }: WebDeps,
  samples: Static<typeof PushSchema>["samples"],
  source: string,
): Promise<Static<typeof PushedSchema>> {
  const { metrics, monitoring } = policy();
  const { taken, refused } = judgePushed(samples, metrics, clock.now());
  if (taken.length === 0) {
    throw new HttpProblem("invalid-body", "None of these samples can be taken.", {
      errors: refused
        .slice(0, FINDINGS_SHOWN)
        .map(({ index, why }) => ({ pointer: `/samples/${index}`, message: why })),
    });
  }
  if (new Set(taken.map(({ at }) => at.getTime())).size > MOMENTS_MAX) {
    throw misfit("body", "/samples", `must be of at most ${MOMENTS_MAX} different moments`);
  }
  const { refused: overLimit } = await insertSamples(db, taken, source, monitoring.samples);
  return { accepted: taken.length - overLimit, refused, over_limit: overLimit };
}
