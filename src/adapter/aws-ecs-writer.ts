/** What runbooks may change in ECS. */

import { createHash } from "node:crypto";
import type { RegisterTaskDefinitionCommandInput, TaskDefinition } from "@aws-sdk/client-ecs";
import { fault } from "../base/fault.js";
import type { AwsReader, AwsWriter } from "../runbook/aws-port.js";
import { type AwsGround, send } from "./aws-clients.js";
import { readDefinition, readTagged } from "./aws-ecs.js";
import { missingIn, revisionOf, serviceOf } from "./aws-names.js";

export type EcsWriter = Pick<AwsReader, "probeTask"> &
  Pick<AwsWriter, "updateService" | "registerRevision" | "stopTask" | "runTask">;

type Asked<Verb extends keyof EcsWriter> = Parameters<EcsWriter[Verb]>[0];

/** ECS takes no longer reason. */
const REASON_MAX = 255;

export function createEcsWriter(ground: AwsGround): EcsWriter {
  return {
    updateService: (request) => updateService(ground, request),
    registerRevision: (request) => registerRevision(ground, request),
    stopTask: (request) => stopTask(ground, request),
    runTask: (request) => runTask(ground, request),
    probeTask: ({ service, key }) => {
      const { family: taskDefinition } = serviceOf(ground.place(), service);
      return runTask(ground, { taskDefinition, command: ["doctor", "--json"], service, key });
    },
  };
}

async function updateService(
  ground: AwsGround,
  { service: name, taskDefinition, desired, forceNew }: Asked<"updateService">,
) {
  const { UpdateServiceCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const service = serviceOf(ground.place(), name).name;
  const command = new UpdateServiceCommand({
    ...{ cluster, service },
    ...(taskDefinition === undefined ? {} : { taskDefinition }),
    // Left out, autoscaling keeps its word.
    ...(desired === undefined ? {} : { desiredCount: desired }),
    ...(forceNew === undefined ? {} : { forceNewDeployment: forceNew }),
  });
  const answer = await send(ground, "ecs", command, { target: `${cluster}/${service}` });
  const { deployments = [] } = answer.service ?? {};
  const primary = deployments.find(({ status }) => status === "PRIMARY") ?? deployments[0];
  return { deploymentId: primary?.id ?? "" };
}

/** What AWS adds to a task definition and does not take back. */
const ADDED = [
  "taskDefinitionArn",
  "revision",
  "status",
  "requiresAttributes",
  "compatibilities",
  "registeredAt",
  "registeredBy",
  "deregisteredAt",
  "deleteRequestedAt",
] as const satisfies readonly (keyof TaskDefinition)[];

async function registerRevision(ground: AwsGround, request: Asked<"registerRevision">) {
  const { RegisterTaskDefinitionCommand } = await import("@aws-sdk/client-ecs");
  const { definition: before, tags } = await readTagged(ground, request.from);
  const command = new RegisterTaskDefinitionCommand({
    ...copyOf(before, request),
    // Without any the member is left out: AWS takes no empty list.
    ...(tags.length === 0 ? {} : { tags }),
  });
  const answer = await send(ground, "ecs", command, { target: before.family ?? request.from });
  const arn = answer.taskDefinition?.taskDefinitionArn ?? "";
  return { arn, revision: answer.taskDefinition?.revision ?? revisionOf(arn) };
}

/** The whole of it: a part would lose the rest. The first container is ours. */
function copyOf(
  before: TaskDefinition,
  { image, environment = {} }: Asked<"registerRevision">,
): RegisterTaskDefinitionCommandInput {
  const { family, containerDefinitions: [ours, ...others] = [] } = before;
  if (family === undefined || ours === undefined)
    throw fault.data("AWS_ANSWER_INVALID", "found a task definition without family or container");
  const kept = Object.fromEntries(
    Object.entries(before).filter(([key]) => !ADDED.some((added) => added === key)),
  );
  const replaced = Object.entries(environment).map(([name, value]) => ({ name, value }));
  const untouched = (ours.environment ?? []).filter(
    ({ name }) => !Object.hasOwn(environment, String(name)),
  );
  const container = { ...ours, image, environment: [...untouched, ...replaced] };
  return { ...kept, family, containerDefinitions: [container, ...others] };
}

async function stopTask(ground: AwsGround, { task, reason }: Asked<"stopTask">): Promise<void> {
  const { StopTaskCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const command = new StopTaskCommand({ cluster, task, reason: reason.slice(0, REASON_MAX) });
  await send(ground, "ecs", command, { target: `${cluster}/${task}` });
}

async function runTask(
  ground: AwsGround,
  { taskDefinition, command: words, service: name, key }: Asked<"runTask">,
): Promise<{ task: string }> {
  const { RunTaskCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const { networkConfiguration, container } = await beside(ground, name, taskDefinition);
  const command = new RunTaskCommand({
    ...{ cluster, taskDefinition, networkConfiguration, count: 1, launchType: "FARGATE" },
    overrides: { containerOverrides: [{ name: container, command: [...words] }] },
    // RunTask takes 64 characters; the same token starts no second task (ECS developer guide, "Ensuring idempotency").
    clientToken: createHash("sha256").update(key).digest("hex"),
    startedBy: key.replace(/[^\w-]/g, "-").slice(0, 36),
  });
  const answer = await send(ground, "ecs", command, { target: `${cluster}/${taskDefinition}` });
  const arn = answer.tasks?.[0]?.taskArn;
  if (arn !== undefined) return { task: arn.split("/").at(-1) ?? arn };
  const why = answer.failures?.map(({ reason }) => reason).join(", ") || "it gave no reason";
  throw fault.transient("AWS_TASK_NOT_STARTED", `ECS started no task of ${taskDefinition}: ${why}`);
}

/** The network of a service, and the container that the command is for. */
async function beside(ground: AwsGround, name: string, taskDefinition: string) {
  const { DescribeServicesCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const service = serviceOf(ground.place(), name).name;
  const command = new DescribeServicesCommand({ cluster, services: [service] });
  const answer = await send(ground, "ecs", command, { target: `${cluster}/${service}` });
  const networkConfiguration = answer.services?.[0]?.networkConfiguration;
  if (networkConfiguration === undefined)
    throw missingIn(`network of the service ${name} in the cluster ${cluster}`, []);
  const definition = await readDefinition(ground, taskDefinition);
  return { networkConfiguration, container: definition.containerDefinitions?.[0]?.name ?? name };
}
