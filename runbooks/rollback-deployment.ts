/** A service back onto the image it ran before (RB-09, LB-cli-05, BQ-op-27): no revert in Git, no build (X-47). */
import { MINUTE_MS } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { READ_IMAGES, READ_SERVICES, UPDATE_SERVICES } from "../src/runbook/aws/permissions.js";
import { moveBack, type ServiceBefore, setRevision } from "../src/runbook/aws/service-move.js";
import { SERVICE_PATTERN, servicePlaceOf } from "../src/runbook/aws/service-place.js";
import { expectStable, judgeService, shortName } from "../src/runbook/aws/wait.js";
import {
  defineRunbook,
  type PlannedContext,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = { service: string; revision?: number; reason: string };

interface Facts {
  readonly from: ServiceBefore;
  readonly to: ServiceBefore;
}

const MOVE = "set the revision";
const SETTLE_WITHIN_MS = 20 * MINUTE_MS;
/** Each is a call of its own, and ECS counts them. */
const REVISIONS_MAX = 20;

export default defineRunbook({
  name: "rollback-deployment",
  aliases: ["rollback"],
  title: "Brings a service back onto the revision it ran before, or onto one that you name",
  danger: "V",
  params: Type.Object(
    {
      service: Type.String({ pattern: SERVICE_PATTERN, description: "e.g. api" }),
      revision: Type.Optional(
        Type.Integer({
          ...{ minimum: 1, maximum: 1_000_000 },
          description: "of its task definition; without it the newest before with another image",
        }),
      ),
      reason: Type.String({
        ...{ minLength: 1, maxLength: 500, default: "rolled back by hand" },
        description: "why, in up to 500 characters",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["service", "revision", "reason"],
  locks: ({ service }) => [`service-${service}`],
  timeoutMs: 30 * MINUTE_MS,
  touches: {
    database: ["jobs:read"],
    aws: [...READ_SERVICES, ...READ_IMAGES, ...UPDATE_SERVICES],
  },
  // Whoever goes back has a reason not to run the other one.
  undoOnFailure: "asked",
  guide:
    "It works while a deployment is under way, too. Only the task definition moves: migrations stay, since they fit the version before them, and autoscaling keeps the number of tasks. What runs then is drift until the next deployment.",
  plan: async (context) => {
    const { params, aws } = context;
    const { name } = servicePlaceOf(aws.place(), params.service);
    const service = await aws.service(name);
    const to = await choose(context, service);
    const { taskDefinition, revision, imageTag } = service;
    return {
      text: `${name} runs revision ${revision} (${imageTag ?? service.image}); revision ${to.revision} has ${to.imageTag ?? "an image by digest"}`,
      changes: [`${name}: revision ${revision} → ${to.revision}`],
      facts: { from: { taskDefinition, revision, imageTag }, to: { ...to } },
    };
  },
  steps: [
    {
      name: MOVE,
      repeat: {
        check: async (context) => {
          const { taskDefinition } = await context.aws.service(context.params.service);
          return taskDefinition === factsOf(context).to.taskDefinition ? "done" : "not-done";
        },
      },
      run: async (context) => {
        const { taskDefinition } = factsOf(context).to;
        await setRevision(context, context.params.service, taskDefinition);
        return `${context.params.service} goes onto ${shortName(taskDefinition)}`;
      },
      undo: {
        name: "set the revision that it had",
        repeat: "safe",
        run: async (context) => moveBack(context, context.params.service, factsOf(context).from),
      },
    },
    {
      name: "wait for it",
      repeat: "safe",
      looks: true,
      run: async (context) => {
        const { taskDefinition } = factsOf(context).to;
        const wish = { withinMs: SETTLE_WITHIN_MS, taskDefinition };
        return expectStable(context, context.params.service, wish);
      },
      undo: { never: "it only looked" },
    },
  ],
  verify: {
    withinMs: () => MINUTE_MS,
    everyMs: 5_000,
    check: async (context) => {
      const { to } = factsOf(context);
      const service = await context.aws.service(context.params.service);
      const { state, text } = judgeService(service, to.taskDefinition);
      if (state === "late") return { state: "waiting", text };
      if (state !== "stable" || service.imageTag !== to.imageTag) return { state: "failed", text };
      return { state: "passed", text: `${text} with ${to.imageTag ?? service.image}` };
    },
  },
  next: () => "/algobrain post-deploy-verify",
});

function factsOf({ plan }: Pick<PlannedContext<Params>, "plan">): Facts {
  return plan.facts as unknown as Facts;
}

/** Throws a refused Fault when there is no such revision, it is what runs, or its image is gone from the registry. */
async function choose(
  { aws, params }: Pick<ReadContext<Params>, "aws" | "params">,
  service: ServiceBefore,
): Promise<ServiceBefore> {
  const { family, repository } = servicePlaceOf(aws.place(), params.service);
  const all = await aws.revisions(family, REVISIONS_MAX);
  const older = all.filter(({ revision }) => revision < service.revision);
  const found =
    params.revision === undefined
      ? // The one before may have other numbers only: people mean the code.
        (older.find(({ imageTag }) => imageTag !== service.imageTag) ?? older[0])
      : all.find(({ revision }) => revision === params.revision);
  const known = all.map(({ revision }) => revision).join(", ");
  if (!found)
    throw fault.refused(
      "REVISION_UNKNOWN",
      `${family} has no revision ${params.revision ?? `before ${service.revision}`}`,
      { hint: `there are ${known || "none"}` },
    );
  if (found.arn === service.taskDefinition)
    throw fault.refused("REVISION_RUNS", `${family} runs revision ${found.revision} already`, {
      hint: `there are ${known}`,
    });
  const { arn, revision, imageTag } = found;
  if (imageTag !== null && !(await aws.image(repository, imageTag)))
    throw fault.refused("IMAGE_MISSING", `${repository} has no image ${imageTag} any more`, {
      hint: `choose another revision: there are ${known}`,
    });
  return { taskDefinition: arn, revision, imageTag };
}
