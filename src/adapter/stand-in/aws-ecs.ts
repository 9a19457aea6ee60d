/** A stand-in for ECS: a deployment takes some looks, and its circuit breaker may take it back. */
import { AwsRefusal, type AwsRequest, arnOf } from "./aws-answer.js";

interface Definition {
  readonly taskDefinitionArn: string;
  readonly family: string;
  readonly revision: number;
  readonly tags?: unknown;
  readonly containerDefinitions: readonly { readonly name: string; readonly image: string }[];
}

interface Service {
  readonly serviceName: string;
  desiredCount: number;
  taskDefinition: string;
  /** Where the breaker goes back to. */
  before: string;
  deployment: number;
  looksLeft: number;
}

type Body = AwsRequest["body"];

export class StandInEcs {
  readonly #definitions: Definition[] = [];
  readonly #services = new Map<string, Service>();
  #deployments = 0;
  /** Looks until a deployment has ended. */
  looks = 2;
  /** The next deployment fails, and the breaker takes it back (LB-aws-03). */
  fails = false;

  addService(serviceName: string, image: string, desiredCount: number): void {
    const container = {
      name: serviceName,
      image,
      environment: [{ name: "constructor", value: "1" }],
    };
    const family = `algobrain-${serviceName}`;
    const tags = [{ key: "system", value: "algobrain" }];
    const definition = { family, tags, containerDefinitions: [container] };
    const { taskDefinitionArn: arn } = this.#register(definition);
    const state = { taskDefinition: arn, before: arn, deployment: 0, looksLeft: 0 };
    this.#services.set(serviceName, { serviceName, desiredCount, ...state });
  }

  answer({ operation, body }: AwsRequest): unknown {
    switch (operation) {
      case "DescribeServices":
        return { services: this.#found(body.services), failures: [] };
      case "DescribeTaskDefinition":
        return this.#tagged(this.definition(String(body.taskDefinition)));
      case "RegisterTaskDefinition":
        return { taskDefinition: this.#register(body) };
      case "UpdateService":
        return { service: this.#update(body) };
      default:
        throw new AwsRefusal("InvalidParameterException", `not in this stand-in: ${operation}`);
    }
  }

  definition(name: string): Definition {
    const found = this.#definitions.find(({ taskDefinitionArn }) => taskDefinitionArn === name);
    if (found === undefined) throw new AwsRefusal("ClientException", "no such task definition");
    return found;
  }

  /** Tags are beside a definition, and not in it. */
  #tagged(definition: Definition): unknown {
    const { tags, ...taskDefinition } = definition;
    return { taskDefinition, tags };
  }

  /** Refuses a part of one: it would lose the rest. */
  #register(body: Body): Definition {
    const { family, containerDefinitions } = body as unknown as Definition;
    if (!family || !containerDefinitions?.[0]?.name || !containerDefinitions[0].image)
      throw new AwsRefusal("ClientException", "family, name and image are required");
    if ("taskDefinitionArn" in body || "revision" in body)
      throw new AwsRefusal("ClientException", "found what only ECS gives");
    const revision = this.#definitions.filter((one) => one.family === family).length + 1;
    const taskDefinitionArn = arnOf("ecs", `task-definition/${family}:${revision}`);
    const made = { ...body, family, containerDefinitions, revision, taskDefinitionArn };
    this.#definitions.push({ ...made, status: "ACTIVE" } as Definition);
    return made;
  }

  #service(name: unknown): Service {
    const found = this.#services.get(String(name));
    if (found === undefined) throw new AwsRefusal("ServiceNotFoundException");
    return found;
  }

  #found(names: unknown): unknown[] {
    return (names as string[])
      .filter((name) => this.#services.has(name))
      .map((name) => this.#look(this.#service(name)));
  }

  #update(body: Body): unknown {
    const service = this.#service(body.service);
    const { taskDefinition = service.taskDefinition, desiredCount } = body;
    this.definition(String(taskDefinition));
    if (typeof desiredCount === "number") service.desiredCount = desiredCount;
    if (body.forceNewDeployment === true || taskDefinition !== service.taskDefinition)
      this.#deploy(service, String(taskDefinition));
    return this.#view(service);
  }

  #deploy(service: Service, taskDefinition: string): void {
    service.before = service.taskDefinition;
    service.taskDefinition = taskDefinition;
    service.deployment = ++this.#deployments;
    service.looksLeft = this.looks;
  }

  #look(service: Service): unknown {
    const view = this.#view(service);
    if (service.looksLeft === 0) return view;
    service.looksLeft -= 1;
    if (service.looksLeft === 0 && this.fails) {
      this.fails = false;
      this.#deploy(service, service.before);
    }
    return view;
  }

  #view({ serviceName, desiredCount, taskDefinition, before, ...state }: Service): unknown {
    const isUnderWay = state.looksLeft > 0;
    const rolloutState = isUnderWay ? "IN_PROGRESS" : "COMPLETED";
    const deployment = (id: number, of: string, status: string) => ({
      ...{ id: `ecs-svc/${id}`, status, taskDefinition: of, desiredCount, failedTasks: 0 },
      // Seconds, as JSON of AWS has its times.
      ...{ rolloutState, createdAt: 1_700_000_000 + id },
      runningCount: status === "PRIMARY" && isUnderWay ? 0 : desiredCount,
    });
    const primary = deployment(state.deployment, taskDefinition, "PRIMARY");
    const older = isUnderWay ? [deployment(state.deployment - 1, before, "ACTIVE")] : [];
    return {
      ...{ serviceName, status: "ACTIVE", desiredCount, taskDefinition },
      ...{ runningCount: desiredCount, pendingCount: isUnderWay ? desiredCount : 0 },
      deployments: [primary, ...older],
      events: [
        { id: "1", createdAt: 1_700_000_000, message: `(service ${serviceName}) said something.` },
      ],
    };
  }
}
