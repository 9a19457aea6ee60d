/**
 * The plans that test/fixture/plans holds are what the real Terraform says, word for word: the review of plans is
 * tested on them where there is no Terraform. `vitest -u` writes them again.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isJsonObject, type Json, type JsonObject } from "../../../src/base/json.js";
import {
  openTerraformSandbox,
  type StackFolder,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

const NAME = "algobrain-production-scene";

const SCENE = {
  terraform: {
    required_version: ">= 1.10",
    required_providers: { aws: { source: "hashicorp/aws", version: "6.25.0" } },
  },
  provider: { aws: [{ region: "us-east-1" }] },
  resource: {
    aws_ecs_cluster: { cluster: { name: "algobrain-prod" } },
    aws_appautoscaling_target: {
      "workers-scaling-target": {
        min_capacity: 12,
        max_capacity: 120,
        resource_id: "service/algobrain-prod/workers",
        scalable_dimension: "ecs:service:DesiredCount",
        service_namespace: "ecs",
        depends_on: ["aws_ecs_service.workers-service"],
      },
    },
    aws_ecs_service: {
      "workers-service": {
        name: "workers",
        cluster: reference("aws_ecs_cluster.cluster.arn"),
        desired_count: 12,
        launch_type: "FARGATE",
        task_definition: reference("aws_ecs_task_definition.workers-task.arn"),
      },
    },
    aws_ecs_task_definition: { "workers-task": task({ memory: "4096", concurrency: "10" }) },
    aws_cloudwatch_log_group: {
      "workers-logs": { name: "/ecs/algobrain-workers", retention_in_days: 30 },
    },
    aws_cloudwatch_metric_alarm: {
      "alarm-AR-06": {
        alarm_name: "AR-06 Queue Depth High",
        comparison_operator: "GreaterThanThreshold",
        evaluation_periods: 5,
        metric_name: "JobQueueDepth",
        namespace: "AlgoBrain",
        period: 60,
        statistic: "Average",
        threshold: 1000,
      },
    },
    aws_s3_bucket: { exports: { bucket: "algobrain-exports" } },
    aws_s3_bucket_lifecycle_configuration: {
      "exports-lifecycle": {
        bucket: reference("aws_s3_bucket.exports.bucket"),
        rule: [{ id: "expire", status: "Enabled", expiration: [{ days: 30 }] }],
      },
    },
    aws_iam_role: {
      "workers-role": {
        name: "algobrain-workers-task",
        assume_role_policy: JSON.stringify({ Version: "2012-10-17", Statement: [] }),
      },
    },
    aws_iam_role_policy: {
      "workers-power": {
        name: "exports",
        role: reference("aws_iam_role.workers-role.name"),
        policy: JSON.stringify({ Statement: [{ Effect: "Allow", Action: "s3:PutObject" }] }),
      },
    },
    aws_secretsmanager_secret: {
      "secret-jwt": { name: "algobrain/prod/jwt-secret", recovery_window_in_days: 30 },
    },
  },
  output: {
    cluster_name: { value: reference("aws_ecs_cluster.cluster.name") },
  },
};

type Scene = typeof SCENE;

function reference(expression: string): string {
  return `\${${expression}}`;
}

function task({ memory, concurrency }: { memory: string; concurrency: string }) {
  const environment = [
    { name: "WORKER_CONCURRENCY", value: concurrency },
    { name: "NOT_MARKED_SENSITIVE", value: "value-that-nobody-may-see" },
  ];
  return {
    family: "algobrain-workers",
    cpu: "1024",
    memory,
    network_mode: "awsvpc",
    requires_compatibilities: ["FARGATE"],
    container_definitions: JSON.stringify([
      { name: "workers", image: "algobrain-workers:0123456789", environment },
    ]),
  };
}

/** Each begins where the scene was applied as it stands. */
const CHANGES: Readonly<Record<string, (scene: Scene) => void>> = {
  nothing: () => {},
  "one-number": ({ resource }) => {
    resource.aws_appautoscaling_target["workers-scaling-target"].max_capacity = 100;
  },
  "retention-shorter": ({ resource }) => {
    resource.aws_cloudwatch_log_group["workers-logs"].retention_in_days = 7;
    resource.aws_s3_bucket_lifecycle_configuration["exports-lifecycle"].rule[0]!.expiration = [
      { days: 7 },
    ];
    resource.aws_secretsmanager_secret["secret-jwt"].recovery_window_in_days = 7;
  },
  "task-replaced": ({ resource }) => {
    const changed = task({ memory: "8192", concurrency: "15" });
    resource.aws_ecs_task_definition["workers-task"] = changed;
  },
  "bucket-replaced": ({ resource }) => {
    resource.aws_s3_bucket.exports.bucket = "algobrain-exports-new";
  },
  deleted: ({ resource }) => {
    for (const type of ["aws_secretsmanager_secret", "aws_cloudwatch_metric_alarm"] as const)
      Reflect.deleteProperty(resource, type);
  },
  power: ({ resource }) => {
    const statement = { Effect: "Allow", Action: "s3:*", Resource: "*" };
    resource.aws_iam_role_policy["workers-power"].policy = JSON.stringify({
      Statement: [statement],
    });
  },
  output: ({ output }) => {
    Object.assign(output, { extra: { value: "told", description: "Told for the first time." } });
  },
};

describe.runIf(terraformPlatform !== null)("terraform: plans as fixtures", () => {
  let sandbox: TerraformSandbox;
  let stack: StackFolder;
  beforeAll(async () => {
    sandbox = await openTerraformSandbox();
    stack = await sandbox.place(NAME, SCENE as unknown as JsonObject);
    await sandbox.terraform.plan(stack.folder, { out: "create.bin" });
    await sandbox.terraform.apply(stack.folder, "create.bin");
  });
  afterAll(() => sandbox?.remove());

  test("terraform: created", async () => {
    const fresh = await sandbox.place(`${NAME}-again`, SCENE as unknown as JsonObject);
    await sandbox.terraform.plan(fresh.folder, { out: "plan.bin" });
    await expectFixture("created", fresh);
  });

  test.each(Object.entries(CHANGES))("terraform: %s", async (name, change) => {
    const scene = structuredClone(SCENE);
    change(scene);
    await sandbox.place(NAME, scene as unknown as JsonObject);
    await sandbox.terraform.plan(stack.folder, { out: "plan.bin" });
    await expectFixture(name, stack);
  });

  test("terraform: drifted", async () => {
    await sandbox.place(NAME, SCENE as unknown as JsonObject);
    const before = await sandbox.readEstate();
    await sandbox.editEstate(({ resources }) => {
      const target = "ecs/service/algobrain-prod/workers/ecs:service:DesiredCount";
      Object.assign(resources[`aws_appautoscaling_target/${target}`]!, { max_capacity: 200 });
      delete resources["aws_cloudwatch_log_group//ecs/algobrain-workers"];
    });
    await sandbox.terraform.plan(stack.folder, { out: "plan.bin" });
    await sandbox.editEstate((estate) => Object.assign(estate, before));
    await expectFixture("drifted", stack);
  });

  async function expectFixture(name: string, { folder }: StackFolder): Promise<void> {
    const plan = await sandbox.terraform.showPlan(folder, "plan.bin");
    const text = `${JSON.stringify(reviewed(plan), null, 1)}\n`;
    const file = fileURLToPath(
      new URL(`../../fixture/plans/${name}.generated.json`, import.meta.url),
    );
    await expect(text).toMatchFileSnapshot(file);
  }
});

/** Without what differs from run to run, and without what the review does not read. */
function reviewed(plan: Json): JsonObject {
  if (!isJsonObject(plan)) throw new Error("a plan is an object");
  const left = new Set(["timestamp", "prior_state", "planned_values", "configuration"]);
  return Object.fromEntries(Object.entries(plan).filter(([name]) => !left.has(name)));
}
