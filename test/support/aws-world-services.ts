/** ECS of the made-up account: deployments that take a few looks, and a breaker that takes them back. */
import { fault } from "../../src/base/fault.js";
import type {
  AwsPlace,
  AwsReader,
  AwsWriter,
  DeploymentView,
  RevisionView,
  ServiceView,
  TaskView,
} from "../../src/runbook/aws-port.js";

export interface Revision extends RevisionView {
  readonly family: string;
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Deployment {
  readonly id: string;
  readonly taskDefinition: string;
  /** Of the service that is looked at, until it has come to its end. */
  looksLeft: number;
  readonly outcome: "COMPLETED" | "FAILED";
  readonly since: Date;
}

interface Service {
  readonly name: string;
  status: string;
  desired: number;
  taskDefinition: string;
  deployment: Deployment;
  /** What the breaker goes back to. */
  readonly before: string;
}

/** How the next deployments and tasks of a service go. */
export interface Fate {
  /** Looks at the service until a deployment has ended; 0: it is through at once. */
  looks: number;
  /** The deployment circuit breaker takes it back (LB-aws-03). */
  fails: boolean;
  /** Of tasks that run beside it. */
  exitCode: number;
}

export const TAG_BEFORE = "a".repeat(40);

export class WorldServices {
  readonly #services = new Map<string, Service>();
  readonly #revisions: Revision[] = [];
  readonly #tasks = new Map<string, TaskView>();
  readonly #started = new Map<string, string>();
  readonly limits = new Map<string, { min: number; max: number; suspended: boolean }>();
  readonly fates = new Map<string, Fate>();
  /** What `runTask` ran, in order. */
  readonly commands: (readonly string[])[] = [];
  #deployments = 0;

  constructor(
    readonly place: AwsPlace,
    readonly now: () => Date,
  ) {
    for (const { name, family, min, max, desired } of Object.values(place.services)) {
      const { arn } = this.addRevision(family, this.imageOf(name, TAG_BEFORE));
      const deployment = this.#deploy(name, arn);
      deployment.looksLeft = 0;
      const state = { name, status: "ACTIVE", desired, taskDefinition: arn, deployment };
      this.#services.set(name, { ...state, before: arn });
      if (max > min) this.limits.set(name, { min, max, suspended: false });
    }
    this.addRevision(place.migrationFamily, this.imageOf("workers", TAG_BEFORE));
  }

  imageOf(service: string, tag: string): string {
    const { account, region, services } = this.place;
    return `${account}.dkr.ecr.${region}.amazonaws.com/${services[service]?.repository}:${tag}`;
  }

  fateOf(service: string): Fate {
    const fate = this.fates.get(service) ?? { looks: 1, fails: false, exitCode: 0 };
    this.fates.set(service, fate);
    return fate;
  }

  addRevision(
    family: string,
    image: string,
    environment: Readonly<Record<string, string>> = {},
  ): Revision {
    const revision = this.#revisions.filter((one) => one.family === family).length + 1;
    const arn = `arn:aws:ecs:${this.place.region}:${this.place.account}:task-definition/${family}:${revision}`;
    const imageTag = image.split(":")[1] ?? null;
    const made = { arn, family, revision, image, imageTag, environment, registeredAt: this.now() };
    this.#revisions.push(made);
    return made;
  }

  revisionOf(arn: string): Revision {
    const found = this.#revisions.find((revision) => revision.arn === arn);
    if (!found)
      throw missing(
        `task definition ${arn}`,
        this.#revisions.map((one) => one.arn),
      );
    return found;
  }

  find(name: string): Service {
    const found = this.#services.get(name);
    if (!found) throw missing(`service ${name}`, [...this.#services.keys()]);
    return found;
  }

  /** As after somebody deleted it by hand. */
  remove(name: string): void {
    this.#services.delete(name);
  }

  #deploy(name: string, taskDefinition: string): Deployment {
    const { looks, fails } = this.fateOf(name);
    const id = `ecs-svc/${++this.#deployments}`;
    const outcome = fails ? "FAILED" : "COMPLETED";
    return { id, taskDefinition, looksLeft: looks, outcome, since: this.now() };
  }

  readonly reader = {
    service: async (name) => this.#look(this.find(name)),
    services: async () => [...this.#services.values()].map((service) => this.#look(service)),
    tasks: async (service, status = "RUNNING") => {
      const beside = [...this.#tasks.values()].filter(
        (task) => task.group.endsWith(`:${service}`) && task.status === status,
      );
      return status === "RUNNING" ? [...this.#own(this.find(service)), ...beside] : beside;
    },
    task: async (id) => this.#tasks.get(id) ?? null,
    limits: async (service) => {
      const limits = this.limits.get(service);
      return limits ? { ...limits, policies: [`${service}-scaling`] } : null;
    },
    revisions: async (family, max) =>
      this.#revisions
        .filter((revision) => revision.family === family)
        .reverse()
        .slice(0, max),
  } satisfies Partial<AwsReader>;

  readonly writer = {
    updateService: async ({ service: name, taskDefinition, desired, forceNew = false }) => {
      const service = this.find(name);
      const next = taskDefinition ?? service.taskDefinition;
      this.revisionOf(next);
      if (forceNew || next !== service.taskDefinition) this.#replace(service, next);
      if (desired !== undefined) this.find(name).desired = desired;
      return { deploymentId: this.find(name).deployment.id };
    },
    registerRevision: async ({ from, image, environment = {} }) => {
      const before = this.revisionOf(from);
      const all = { ...before.environment, ...environment };
      const { arn, revision } = this.addRevision(before.family, image, all);
      return { arn, revision };
    },
    stopTask: async ({ task, reason }) => {
      const found = this.#tasks.get(task);
      if (!found) throw missing(`task ${task}`, [...this.#tasks.keys()]);
      this.#tasks.set(task, { ...found, status: "STOPPED", stoppedReason: reason });
    },
    runTask: async ({ taskDefinition, command, service, key }) => {
      const before = this.#started.get(key);
      if (before !== undefined) return { task: before };
      this.find(service);
      const task = `task-${this.#started.size + 1}`;
      this.#started.set(key, task);
      this.commands.push(command);
      this.#tasks.set(task, this.#ended(task, service, taskDefinition));
      return { task };
    },
    setLimits: async ({ service, min, max }) => {
      const suspended = this.limits.get(service)?.suspended ?? false;
      this.limits.set(service, { min, max, suspended });
      const found = this.find(service);
      // As the real one: it brings the number of tasks within the limits at once.
      found.desired = Math.min(Math.max(found.desired, min), max);
    },
  } satisfies Partial<AwsWriter>;

  #replace(service: Service, taskDefinition: string): void {
    const deployment = this.#deploy(service.name, taskDefinition);
    const before = service.taskDefinition;
    this.#services.set(service.name, { ...service, taskDefinition, deployment, before });
  }

  #ended(id: string, service: string, taskDefinition: string): TaskView {
    const { exitCode } = this.fateOf(service);
    return {
      ...{ id, status: "STOPPED", health: null, startedAt: this.now(), taskDefinition },
      ...{ stoppedReason: "Essential container in task exited", exitCode },
      group: `family:${service}`,
    };
  }

  #own({ name, desired, taskDefinition, deployment }: Service): TaskView[] {
    return Array.from({ length: desired }, (_, i) => ({
      ...{ id: `${name}-${i + 1}`, status: "RUNNING", health: "HEALTHY" },
      ...{ startedAt: deployment.since, stoppedReason: null, exitCode: null },
      ...{ taskDefinition, group: `service:${name}` },
    }));
  }

  /** Every look brings a deployment one step on. */
  #look(service: Service): ServiceView {
    const view = this.#view(service);
    if (service.deployment.looksLeft > 0) service.deployment.looksLeft -= 1;
    else if (service.deployment.outcome === "FAILED") this.#takeBack(service);
    return view;
  }

  #takeBack(service: Service): void {
    this.fateOf(service.name).fails = false;
    this.#replace({ ...service, taskDefinition: service.before }, service.before);
    this.find(service.name).deployment.looksLeft = 0;
  }

  #view({ name, status, desired, taskDefinition, deployment, before }: Service): ServiceView {
    const { image, imageTag, revision } = this.revisionOf(taskDefinition);
    const isOver = deployment.looksLeft === 0;
    const running = isOver && deployment.outcome === "COMPLETED" ? desired : 0;
    const rollout = isOver ? deployment.outcome : "IN_PROGRESS";
    const newest: DeploymentView = {
      ...{ id: deployment.id, status: "PRIMARY", taskDefinition, desired, running, rollout },
      ...{ failed: rollout === "FAILED" ? 2 : 0, since: deployment.since },
    };
    const older: DeploymentView = {
      ...{ id: `${deployment.id}-before`, status: "ACTIVE", taskDefinition: before, desired },
      ...{ running: desired, failed: 0, rollout: "COMPLETED", since: deployment.since },
    };
    return {
      ...{ name, status, desired, running: desired, taskDefinition, revision },
      ...{ pending: desired - running, image, imageTag, execEnabled: true },
      deployments: running === desired ? [newest] : [newest, older],
      events: [
        {
          at: deployment.since,
          text: `(service ${name}) ${rollout === "COMPLETED" ? "has reached a steady state" : "deployment in progress"}.`,
        },
      ],
    };
  }
}

export function missing(what: string, existing: readonly string[]) {
  const hint = existing.length === 0 ? "there is none at all" : `there are ${existing.join(", ")}`;
  return fault.refused("AWS_NOT_FOUND", `there is no ${what}`, { hint });
}
