/** ECS for runbooks: services, their deployments and tasks as they are now. */
import type { Deployment, Service, Tag, Task, TaskDefinition } from "@aws-sdk/client-ecs";
import type { AwsReader, DeploymentView, ServiceView, TaskView } from "../runbook/aws-port.js";
import { type AwsGround, pages, send } from "./aws-clients.js";
import { missingIn, revisionOf, serviceOf, tagOf } from "./aws-names.js";

/** DescribeServices takes no more at once. */
const SERVICES_MAX = 10;
/** DescribeTasks takes no more at once. */
const TASKS_MAX = 100;
const EVENTS_SHOWN = 20;

export type EcsReader = Pick<AwsReader, "service" | "services" | "tasks" | "task" | "revisions">;

export function createEcsReader(ground: AwsGround): EcsReader {
  return {
    service: (name) => readService(ground, name),
    services: () => readServices(ground),
    tasks: (service, status = "RUNNING") => readTasks(ground, service, status),
    task: (id) => readTask(ground, id),
    revisions: (family, max) => readRevisions(ground, family, max),
  };
}

async function readService(ground: AwsGround, name: string): Promise<ServiceView> {
  const { cluster, services } = ground.place();
  const [service] = await describe(ground, [serviceOf(ground.place(), name).name]);
  if (service === undefined)
    throw missingIn(`service ${name} in the cluster ${cluster}`, Object.keys(services));
  return service;
}

async function readServices(ground: AwsGround): Promise<ServiceView[]> {
  const names = Object.values(ground.place().services).map(({ name }) => name);
  return describe(ground, names.slice(0, SERVICES_MAX));
}

/** Those that exist and are not on their way out. */
async function describe(ground: AwsGround, services: string[]): Promise<ServiceView[]> {
  const { DescribeServicesCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const command = new DescribeServicesCommand({ cluster, services });
  const answer = await send(ground, "ecs", command, { target: `${cluster}/${services.join(",")}` });
  const alive = (answer.services ?? []).filter(({ status }) => status !== "INACTIVE");
  return Promise.all(
    alive.map(async (service) =>
      serviceView(service, await readDefinition(ground, service.taskDefinition ?? "")),
    ),
  );
}

export async function readDefinition(ground: AwsGround, arn: string): Promise<TaskDefinition> {
  return (await readTagged(ground, arn)).definition;
}

/** Throws a refused Fault `AWS_NOT_FOUND`. */
export async function readTagged(
  ground: AwsGround,
  taskDefinition: string,
): Promise<{ readonly definition: TaskDefinition; readonly tags: Tag[] }> {
  const { DescribeTaskDefinitionCommand } = await import("@aws-sdk/client-ecs");
  const command = new DescribeTaskDefinitionCommand({ taskDefinition, include: ["TAGS"] });
  const answer = await send(ground, "ecs", command, { target: taskDefinition });
  const { taskDefinition: definition, tags = [] } = answer;
  if (definition === undefined) throw missingIn(`task definition ${taskDefinition}`, []);
  return { definition, tags };
}

function serviceView(service: Service, definition: TaskDefinition): ServiceView {
  const image = definition.containerDefinitions?.[0]?.image ?? "";
  const { deployments = [], events = [] } = service;
  return {
    name: service.serviceName ?? "",
    status: service.status ?? "UNKNOWN",
    desired: service.desiredCount ?? 0,
    running: service.runningCount ?? 0,
    pending: service.pendingCount ?? 0,
    taskDefinition: service.taskDefinition ?? "",
    revision: definition.revision ?? revisionOf(service.taskDefinition ?? ""),
    ...{ image, imageTag: tagOf(image) },
    deployments: deployments.map(deploymentView).sort(newestFirst),
    events: events
      .slice(0, EVENTS_SHOWN)
      .flatMap(({ createdAt, message }) =>
        createdAt && message ? [{ at: createdAt, text: message }] : [],
      ),
    execEnabled: service.enableExecuteCommand ?? false,
  };
}

const newestFirst = (a: DeploymentView, b: DeploymentView) => b.since.getTime() - a.since.getTime();

function deploymentView(deployment: Deployment): DeploymentView {
  return {
    id: deployment.id ?? "",
    status: deployment.status ?? "UNKNOWN",
    taskDefinition: deployment.taskDefinition ?? "",
    desired: deployment.desiredCount ?? 0,
    running: deployment.runningCount ?? 0,
    failed: deployment.failedTasks ?? 0,
    rollout: deployment.rolloutState ?? null,
    since: deployment.createdAt ?? new Date(0),
  };
}

async function readTasks(
  ground: AwsGround,
  service: string,
  desiredStatus: "RUNNING" | "STOPPED",
): Promise<TaskView[]> {
  const { ListTasksCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const asked = { cluster, serviceName: service, desiredStatus } as const;
  const arns = await pages(
    (nextToken) =>
      send(ground, "ecs", new ListTasksCommand({ ...asked, ...(nextToken && { nextToken }) }), {
        target: `${cluster}/${service}`,
      }),
    ({ taskArns, nextToken }) => ({ items: taskArns, next: nextToken }),
  );
  const batches = Math.ceil(arns.length / TASKS_MAX);
  const views: TaskView[] = [];
  for (let i = 0; i < batches; i++)
    views.push(...(await describeTasks(ground, arns.slice(i * TASKS_MAX, (i + 1) * TASKS_MAX))));
  return views;
}

async function readTask(ground: AwsGround, id: string): Promise<TaskView | null> {
  const [task] = await describeTasks(ground, [id]);
  return task ?? null;
}

async function describeTasks(ground: AwsGround, tasks: string[]): Promise<TaskView[]> {
  const { DescribeTasksCommand } = await import("@aws-sdk/client-ecs");
  const { cluster } = ground.place();
  const command = new DescribeTasksCommand({ cluster, tasks });
  const target =
    tasks.length === 1 ? `${cluster}/${tasks[0]}` : `${cluster}: ${tasks.length} tasks`;
  const answer = await send(ground, "ecs", command, { target });
  return (answer.tasks ?? []).map(taskView);
}

function taskView(task: Task): TaskView {
  return {
    id: task.taskArn?.split("/").at(-1) ?? "",
    status: task.lastStatus ?? "UNKNOWN",
    health: task.healthStatus ?? null,
    startedAt: task.startedAt ?? null,
    stoppedReason: task.stoppedReason ?? null,
    exitCode: task.containers?.[0]?.exitCode ?? null,
    taskDefinition: task.taskDefinitionArn ?? "",
    group: task.group ?? "",
  };
}

async function readRevisions(ground: AwsGround, family: string, max: number) {
  const { ListTaskDefinitionsCommand } = await import("@aws-sdk/client-ecs");
  const asked = { familyPrefix: family, sort: "DESC", status: "ACTIVE" } as const;
  const arns = await pages(
    (nextToken) =>
      send(
        ground,
        "ecs",
        new ListTaskDefinitionsCommand({ ...asked, ...(nextToken && { nextToken }) }),
        { target: family },
      ),
    // The prefix also finds other families that begin alike.
    ({ taskDefinitionArns, nextToken }) => ({
      items: taskDefinitionArns?.filter((arn) => arn.split("/")[1]?.split(":")[0] === family),
      next: nextToken,
    }),
    max,
  );
  const definitions = await Promise.all(arns.map((arn) => readDefinition(ground, arn)));
  return definitions
    .map((definition) => ({
      arn: definition.taskDefinitionArn ?? "",
      revision: definition.revision ?? 0,
      imageTag: tagOf(definition.containerDefinitions?.[0]?.image ?? ""),
      registeredAt: definition.registeredAt ?? null,
    }))
    .sort((a, b) => b.revision - a.revision);
}
