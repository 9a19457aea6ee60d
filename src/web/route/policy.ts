/** The policy in force, bundles on their way there, handing one in, and letting a held one go on. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import type { Refusal } from "../../policy/envelope-types.js";
import { readBundle, readStoredEnvelope, releaseBundle } from "../../store/policy-bundles.js";
import { readPolicyState } from "../../store/policy-state.js";
import type { PublishAnswer, WebDeps } from "../deps.js";
import { actorOf } from "../guard.js";
import {
  BundleSchema,
  BundleWithEnvelopeSchema,
  PolicyStateSchema,
  toBundleDocument,
  toPolicyDocument,
} from "../policy-document.js";
import { HttpProblem } from "../problem.js";
import { AnyObject } from "../schema.js";

const PublishedSchema = Type.Object({
  revision: Type.Integer(),
  outcome: Type.String({ enum: ["stored", "known"] }),
});

const ReleaseSchema = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500 }) },
  closed,
);

/** Within what a bigint column holds, and JavaScript counts exactly. */
const REVISION = /^[1-9]\d{0,14}$/;
/** Those that a newer revision would have avoided. */
const OUT_OF_ORDER: readonly Refusal[] = ["revision-not-newer", "revision-out-of-range"];

export function policyRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.get(
    "/api/v1/policy",
    {
      schema: {
        summary: "Which policy is in force, which was published, and what stands between",
        response: { 200: PolicyStateSchema },
      },
    },
    async () => toPolicyDocument(await readPolicyState(deps.db)),
  );
  app.get(
    "/api/v1/policy/bundles/:revision",
    {
      schema: { summary: "A bundle as it was signed", response: { 200: BundleWithEnvelopeSchema } },
    },
    async (request) => {
      const revision = revisionOf(request);
      const bundle = await readBundle(deps.db, revision);
      if (!bundle) throw noSuchBundle(request);
      const envelope = await readStoredEnvelope(deps.db, revision);
      return { ...toBundleDocument(bundle), envelope };
    },
  );
  publishRoute(app, deps);
  releaseRoute(app, deps);
}

/** The token says who hands it in; whether it is believed, the signature inside says. */
function publishRoute(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/policy/bundles",
    {
      schema: {
        summary: "Hand in a signed envelope, as `algobrain policy publish` writes it",
        body: AnyObject,
        response: { 202: PublishedSchema },
      },
    },
    async (request, reply) => {
      if (!deps.publishEnvelope) {
        throw new HttpProblem(
          "not-configured",
          "This process takes no bundles: ask the one that serves.",
        );
      }
      const answer = await deps.publishEnvelope(JSON.stringify(request.body), actorOf(request));
      if (answer.outcome === "refused") throw refusedProblem(answer);
      return reply.code(202).send({ revision: answer.revision, outcome: answer.outcome });
    },
  );
}

function refusedProblem(answer: Extract<PublishAnswer, { outcome: "refused" }>): HttpProblem {
  const { refusal, sentence } = answer;
  const code = OUT_OF_ORDER.includes(refusal) ? "state-conflict" : "bundle-refused";
  return new HttpProblem(code, `The bundle is refused (${refusal}): ${sentence}.`, {
    errors: [{ pointer: POINTERS[refusal], message: refusal }],
  });
}

/** Where in the envelope the reason lies. */
const POINTERS: Readonly<Record<Refusal, string>> = {
  malformed: "",
  "too-large": "",
  "digest-mismatch": "/digest",
  "signature-unknown-key": "/signature/keyId",
  "signature-invalid": "/signature/value",
  "wrong-system": "/bundle/system",
  "wrong-environment": "/bundle/environment",
  "revision-not-newer": "/revision",
  "revision-out-of-range": "/revision",
  invalid: "/bundle/sections",
};

function releaseRoute(app: FastifyInstance, deps: WebDeps): void {
  app.post(
    "/api/v1/policy/bundles/:revision/release",
    {
      schema: {
        summary: "Let a held bundle go on, with the reason why",
        body: ReleaseSchema,
        response: { 200: BundleSchema },
      },
    },
    async (request) => {
      const { reason } = request.body as Static<typeof ReleaseSchema>;
      const revision = revisionOf(request);
      const released = await deps.db.transaction((tx) =>
        releaseBundle(tx, revision, actorOf(request), reason),
      );
      if (released.outcome === "not-found") throw noSuchBundle(request);
      if (released.outcome === "released") return toBundleDocument(released.bundle);
      throw new HttpProblem(
        "state-conflict",
        `Revision ${revision} is ${released.bundle.status}, and only a held bundle can be released.`,
      );
    },
  );
}

function revisionOf(request: FastifyRequest): number {
  const { revision } = request.params as { revision: string };
  if (!REVISION.test(revision)) throw noSuchBundle(request);
  return Number(revision);
}

function noSuchBundle(request: FastifyRequest): HttpProblem {
  const shown = JSON.stringify((request.params as { revision: string }).revision.slice(0, 40));
  return new HttpProblem(
    "not-found",
    `There is no bundle ${shown}; GET /api/v1/policy names those that there are.`,
  );
}
