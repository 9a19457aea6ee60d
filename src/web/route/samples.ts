/** Samples from outside: a probe that looks at us from elsewhere, a script that knows a number of its own. */
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
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
