/** One commit onto the services, in the order in which they depend on each other (RB-05, HB-op-07, BQ-op-25, X-20…X-23). */
import { formatDuration, HOUR_MS, MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { judgeLooks, lookAtDeployment } from "../src/runbook/aws/deployment-look.js";
import {
  type DeployParams,
  deployedNames,
  deployFactsOf,
  migrating,
  registering,
  resumeQueues,
  settling,
  snapshotting,
  updating,
} from "../src/runbook/aws/deployment-steps.js";
import { patiently } from "../src/runbook/aws/patient.js";
import {
  READ_IMAGES,
  READ_SERVICES,
  READ_SIGNS_OF_LIFE,
  UPDATE_SERVICES,
} from "../src/runbook/aws/permissions.js";
import { serviceLocks, servicePlaceOf, servicesNamed } from "../src/runbook/aws/service-place.js";
import {
  DurationText,
  defineRunbook,
  type PlannedContext,
  type ReadContext,
  Type,
} from "../src/runbook/define.js";

type Params = DeployParams & { env: string; watch: string; errors: number };

const RESUME = "resume the queues";
const SMOKE_WITHIN_MS = 5 * MINUTE_MS;
/** Of logs: what the tasks before said as they ended is older. */
const SMOKE_WINDOW_MS = MINUTE_MS;
const LOOK_EVERY_MS = 5_000;
/** Longer than all steps in which work stands still; then it goes on by itself, whatever became of the run. */
const PAUSE_MS = 2 * HOUR_MS;

export default defineRunbook({
  name: "deploy-services",
  aliases: ["deploy"],
  title: "Brings one commit onto the services, and goes back when it does not work",
  danger: "V",
  params: Type.Object(
    {
      env: Type.String({
        pattern: "^[a-z]{2,20}$",
        description: "the environment that you mean: another one than this is refused",
      }),
      tag: Type.String({
        pattern: "^[0-9a-f]{40}$",
        description: "the commit: all 40 hexadecimal digits",
      }),
      services: Type.String({
        pattern: "^(all|[a-z]{2,30}(,[a-z]{2,30})*)$",
        default: "all",
        description: "all, or names with commas such as workers,api",
      }),
      migrate: Type.Boolean({ default: true, description: "false: the database is left as it is" }),
      watch: Type.Unsafe<string>({
        ...{ ...DurationText, default: "5m" },
        description: "for how long it must go well before it counts as done, e.g. 15m",
      }),
      errors: Type.Integer({
        ...{ minimum: 0, maximum: 100_000, default: 20 },
        description: "lines of errors that are no reason to go back",
      }),
    },
    { additionalProperties: false },
  ),
  positional: ["env", "tag", "services"],
  locks: ({ services }) => serviceLocks(services),
  targetsMax: 10,
  // Its session in AWS lasts an hour, and going back needs ten minutes of it.
  timeoutMs: 50 * MINUTE_MS,
  touches: {
    database: ["jobs:read", "queues:pause"],
    aws: [
      ...READ_SERVICES,
      ...READ_IMAGES,
      ...READ_SIGNS_OF_LIFE,
      ...UPDATE_SERVICES,
      { actions: ["ecs:RegisterTaskDefinition"], resources: ["*"] },
      {
        actions: ["ecs:RunTask"],
        resources: ["arn:aws:ecs:{region}:{account}:task-definition/{system}-*"],
      },
      {
        actions: ["rds:CreateDBClusterSnapshot", "rds:DescribeDBClusterSnapshots"],
        resources: [
          "arn:aws:rds:{region}:{account}:cluster:{system}-*",
          "arn:aws:rds:{region}:{account}:cluster-snapshot:{system}-*",
        ],
      },
    ],
  },
  guide:
    "The images must be in the registry under the commit's 40 digits; the same image goes from staging to production. Migrations fit the version before them (X-47), so going back leaves them. How many tasks run stays with autoscaling. The executor, which runs this, goes last, and its successor goes on: where this runbook itself is another one in that commit, the new one only looks on, and goes back where the way back is the same.",
  plan: async (context) => {
    const { params, aws, runtime } = context;
    const place = aws.place();
    if (params.env !== place.environment)
      throw fault.refused(
        "ENVIRONMENT_WRONG",
        `this is ${place.environment}, and you asked for ${params.env}`,
        { hint: `ask the control plane of ${params.env}` },
      );
    const names = servicesNamed(place, params.services);
    const [views, digests, pauses] = await Promise.all([
      Promise.all(names.map((name) => aws.service(name))),
      // Whoever migrates runs the image of the workers: last, so that the others keep their places.
      findImages(context, params.migrate ? [...new Set([...names, "workers"])] : names),
      runtime.pauses(),
    ]);
    for (const view of views)
      if (view.deployments.length > 1)
        throw fault.refused("DEPLOYMENT_UNDER_WAY", `${view.name} is being deployed already`, {
          hint: `wait for it (/algobrain show-capacity), or go back: /algobrain rollback-deployment ${view.name}`,
        });
    const before = views.map(({ name, taskDefinition, revision, imageTag }) => [
      name,
      { taskDefinition, revision, imageTag },
    ]);
    return {
      text: [
        `${place.environment}: ${names.join(", ")} onto ${params.tag}`,
        ...names.map((name, i) => `${name}: ${digests[i]}`),
      ].join("\n"),
      changes: [
        `take a snapshot of ${place.databaseCluster}`,
        "pause all queues until the new version runs",
        ...(params.migrate ? ["migrate the database with the new version"] : []),
        ...views.map(
          ({ name, revision, imageTag }) =>
            `${name}: revision ${revision} (${imageTag ?? "no tag of ours"}) → a new one with ${params.tag}`,
        ),
      ],
      facts: {
        services: Object.fromEntries(before),
        wasPaused: pauses.some(({ kind }) => kind === "all"),
      },
    };
  },
  steps: [
    snapshotting(),
    {
      name: "pause the queues",
      repeat: "safe",
      run: async (context) => {
        const { runtime, runId, params } = context;
        if (deployFactsOf(context).wasPaused) return "they are paused already, by somebody else";
        const reason = `${runId} deploys ${params.tag}`;
        await runtime.pauseQueue({ kind: "all", reason, forMs: PAUSE_MS });
        return `all queues are paused for ${formatDuration(PAUSE_MS)} at most`;
      },
      undo: {
        name: "resume the queues, unless they were paused before",
        repeat: "safe",
        run: resumeQueues,
      },
    },
    registering(),
    migrating(),
    updating("orchestrator"),
    settling("orchestrator"),
    updating("workers"),
    settling("workers"),
    updating("api"),
    settling("api"),
    {
      name: "look whether it works",
      repeat: "safe",
      looks: true,
      run: async (context) => {
        // The executor goes after this.
        const moved = deployedNames(context).filter((name) => name !== "executor");
        if (moved.length === 0) return "nothing else was asked for";
        const deadline = context.now().getTime() + SMOKE_WITHIN_MS;
        for (;;) {
          const since = new Date(context.now().getTime() - SMOKE_WINDOW_MS);
          const looks = await patiently(context, () => looksOf(context, moved, since));
          const { state, found } = judgeLooks(looks);
          if (state === "passed") return found;
          if (state === "failed" || context.now().getTime() >= deadline)
            throw fault.refused("DEPLOYMENT_UNWELL", found);
          await context.wait(LOOK_EVERY_MS);
        }
      },
      undo: { never: "it only looked" },
    },
    {
      name: RESUME,
      repeat: "safe",
      run: async (context) => ({
        text: await resumeQueues(context),
        value: { since: context.now().toISOString() },
      }),
      undo: { never: "work goes on while the services go back" },
    },
    updating("executor"),
    settling("executor"),
  ],
  verify: {
    withinMs: ({ watch }) => (parseDuration(watch) ?? 0) + SMOKE_WITHIN_MS,
    // Each look asks Logs Insights, which is paid by what it reads.
    everyMs: 3 * LOOK_EVERY_MS,
    check: async (context) => {
      const resumed = context.resultOf(RESUME) as { since: string } | undefined;
      const since = resumed === undefined ? context.now() : new Date(resumed.since);
      const { state, found } = judgeLooks(await looksOf(context, deployedNames(context), since));
      if (state !== "passed") return { state, text: found };
      const watchedMs = context.now().getTime() - since.getTime();
      const wantedMs = resumed === undefined ? 0 : (parseDuration(context.params.watch) ?? 0);
      if (watchedMs < wantedMs) return { state: "waiting", text: `watching: ${found}` };
      return {
        state: "passed",
        text: `${deployedNames(context).join(", ")} run ${context.params.tag}: ${found}`,
      };
    },
  },
  next: ({ services }) =>
    `/algobrain rollback-deployment ${services === "all" ? "api" : (services.split(",")[0] ?? "api")}`,
});

type Context = PlannedContext<Params>;

/** One digest a service. Throws a refused Fault `IMAGE_MISSING` that names all that are not in the registry. */
async function findImages(
  { aws, params }: Pick<ReadContext<Params>, "aws" | "params">,
  names: readonly string[],
): Promise<readonly string[]> {
  // The task that changes the schema runs the image of the workers.
  const all = new Set([...names, ...(params.migrate ? ["workers"] : [])]);
  const repositories = [...all].map((name) => servicePlaceOf(aws.place(), name).repository);
  const found = await Promise.all(repositories.map((it) => aws.image(it, params.tag)));
  const missing = repositories.filter((_, i) => !found[i]);
  if (missing.length > 0)
    throw fault.refused("IMAGE_MISSING", `${missing.join(", ")} have no image ${params.tag}`, {
      hint: `/algobrain build-and-push-images ${params.tag}`,
    });
  return found.flatMap((it) => it?.digest ?? []);
}

function looksOf(context: Context, services: readonly string[], since: Date) {
  const { tag, errors } = context.params;
  return lookAtDeployment(context, { services, tag, since, errorsMax: errors });
}
