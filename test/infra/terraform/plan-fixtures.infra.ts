/**
 * The plans that test/fixture/plans holds are what the real Terraform says, word for word: the review of plans is
 * tested on them where there is no Terraform. `vitest -u` writes them again.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isJsonObject, type Json, type JsonObject } from "../../../src/base/json.js";
import { type PlanScene, planScene, SCENE_NAME, sceneTask } from "../../support/plan-scene.js";
import {
  openTerraformSandbox,
  type StackFolder,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

/** Each begins where the scene was applied as it stands. */
const CHANGES: Readonly<Record<string, (scene: PlanScene) => void>> = {
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
    const changed = sceneTask({ memory: "8192", concurrency: "15" });
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
    stack = await sandbox.place(SCENE_NAME, planScene());
    await sandbox.terraform.plan(stack.folder, { out: "create.bin" });
    await sandbox.terraform.apply(stack.folder, "create.bin");
  });
  afterAll(() => sandbox?.remove());

  test("terraform: created", async () => {
    const fresh = await sandbox.place(`${SCENE_NAME}-again`, planScene());
    await sandbox.terraform.plan(fresh.folder, { out: "plan.bin" });
    await expectFixture("created", fresh);
  });

  test.each(Object.entries(CHANGES))("terraform: %s", async (name, change) => {
    const scene = planScene();
    change(scene);
    await sandbox.place(SCENE_NAME, scene);
    await sandbox.terraform.plan(stack.folder, { out: "plan.bin" });
    await expectFixture(name, stack);
  });

  test("terraform: drifted", async () => {
    await sandbox.place(SCENE_NAME, planScene());
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
    const file = fileURLToPath(
      new URL(`../../fixture/plans/${name}.generated.json`, import.meta.url),
    );
    const text = `${JSON.stringify({ ...reviewed(plan), ...versionsOf(file) }, null, 1)}\n`;
    await expect(text).toMatchFileSnapshot(file);
  }
});

/**
 * Without what differs from run to run (the time, and the order in which Terraform lists what it looked at), and without
 * what the review does not read.
 */
const LEFT_OUT = new Set([
  ...["timestamp", "relevant_attributes"],
  ...["prior_state", "planned_values", "configuration"],
]);

function reviewed(plan: Json): JsonObject {
  if (!isJsonObject(plan)) throw new Error("a plan is an object");
  return Object.fromEntries(Object.entries(plan).filter(([name]) => !LEFT_OUT.has(name)));
}

/** Another Terraform must say the same; only its own numbers may differ. */
function versionsOf(file: string): JsonObject {
  if (!existsSync(file)) return {};
  const { format_version, terraform_version } = JSON.parse(readFileSync(file, "utf8"));
  return { format_version, terraform_version };
}
