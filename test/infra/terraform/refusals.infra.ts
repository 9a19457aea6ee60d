/** What Terraform itself refuses, and what happens when the cloud is not as it should be. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { importFile } from "../../../src/review/infra/adopt.js";
import { planChanges } from "../../support/plan-changes.js";
import { type PlanScene, planScene, SCENE_NAME } from "../../support/plan-scene.js";
import {
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

const LOGS = "aws_cloudwatch_log_group//ecs/algobrain-workers";

describe.runIf(terraformPlatform !== null)("terraform: what is refused", () => {
  let sandbox: TerraformSandbox;
  beforeAll(async () => {
    sandbox = await openTerraformSandbox();
    const folder = await place();
    await sandbox.terraform.plan(folder, { out: "create.bin" });
    await sandbox.terraform.apply(folder, "create.bin");
  });
  afterAll(() => sandbox?.remove());

  async function place(change: (scene: PlanScene) => void = () => {}): Promise<string> {
    const scene = planScene();
    change(scene);
    return (await sandbox.place(SCENE_NAME, scene)).folder;
  }

  const scaleTo = (most: number) =>
    place(({ resource }) => {
      resource.aws_appautoscaling_target["workers-scaling-target"].max_capacity = most;
    });

  test("terraform: a plan that was made before another was applied is stale", async () => {
    const { terraform } = sandbox;
    const folder = await scaleTo(110);
    await terraform.plan(folder, { out: "first.bin" });
    await terraform.plan(folder, { out: "second.bin" });
    const before = await terraform.stateMark(folder);
    await terraform.apply(folder, "first.bin");
    const after = await terraform.stateMark(folder);
    expect(after?.lineage).toBe(before?.lineage);
    expect(after?.serial).toBeGreaterThan(Number(before?.serial));
    await expect(terraform.apply(folder, "second.bin")).rejects.toMatchObject({
      code: "TERRAFORM_FAILED",
      message: expect.stringContaining("Saved plan is stale"),
    });
  });

  test("terraform: of two plans that are applied at once, one is, and the other is stale", async () => {
    const { terraform } = sandbox;
    const folder = await scaleTo(115);
    for (const out of ["first.bin", "second.bin"]) await terraform.plan(folder, { out });
    const both = ["first.bin", "second.bin"].map((file) => terraform.apply(folder, file));
    const ended = await Promise.allSettled(both);
    expect(ended.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const refused = ended.find(({ status }) => status === "rejected");
    expect(refused).toMatchObject({
      reason: { message: expect.stringContaining("Saved plan is stale") },
    });
  });

  test("terraform: what may not be destroyed is not", async () => {
    const folder = await place(({ resource }) => {
      Object.assign(resource.aws_s3_bucket.exports, { lifecycle: { prevent_destroy: true } });
    });
    await expect(
      sandbox.terraform.plan(folder, { out: "destroy.bin", destroy: true }),
    ).rejects.toThrow(/Instance cannot be destroyed/);
  });

  test("terraform: a resource that cannot be read fails the plan, it is not taken for gone", async () => {
    const folder = await place();
    await sandbox.editEstate(({ failing }) => failing.push(LOGS));
    await expect(sandbox.terraform.plan(folder, { out: "plan.bin" })).rejects.toThrow(
      /AccessDenied/,
    );
    await sandbox.editEstate(({ failing }) => failing.pop());
  });

  test("terraform: what exists already is not made a second time", async () => {
    const { folder } = await sandbox.place(`${SCENE_NAME}-twin`, planScene());
    await sandbox.terraform.plan(folder, { out: "plan.bin" });
    await expect(sandbox.terraform.apply(folder, "plan.bin")).rejects.toThrow(/exists already/);
  });

  test("terraform: a complaint names the place and quotes no value of the configuration", async () => {
    const folder = await place(({ resource }) => {
      const task = resource.aws_ecs_task_definition["workers-task"];
      const image = `\${aws_ecr_repository.none.url}`;
      task.container_definitions = task.container_definitions.replace("algobrain-workers:", image);
    });
    const complaint = await sandbox.terraform
      .plan(folder, { out: "plan.bin" })
      .then(() => "none", String);
    expect(complaint).toMatch(
      /Error: Reference to undeclared resource\n\s+on cdk\.tf\.json line 1/,
    );
    expect(complaint).not.toContain("nobody-may-see");
  });

  test("terraform: a stack that was never applied has no state to compare with", async () => {
    const { folder } = await sandbox.place(`${SCENE_NAME}-new`, planScene());
    expect(await sandbox.terraform.stateMark(folder)).toBeNull();
  });

  test("terraform: an import takes over what exists, and the next plan finds nothing", async () => {
    const { terraform } = sandbox;
    const { terraform: settings, provider, resource } = planScene();
    const { folder } = await sandbox.place(`${SCENE_NAME}-adopted`, {
      terraform: settings,
      provider,
      resource: { aws_s3_bucket: resource.aws_s3_bucket },
      import: [{ to: "aws_s3_bucket.exports", id: "algobrain-exports" }],
    });
    await terraform.plan(folder, { out: "plan.bin" });
    const plan = await terraform.showPlan(folder, "plan.bin");
    expect(planChanges(plan)).toEqual(["aws_s3_bucket.exports no-op importing"]);
    await terraform.apply(folder, "plan.bin");
    expect(await terraform.plan(folder, { out: "again.bin" })).toBe("nothing");
  });

  test("terraform: an id of a list of people is never an expression", async () => {
    const { terraform: settings, provider, resource } = planScene();
    const { folder } = await sandbox.place(`${SCENE_NAME}-listed`, {
      terraform: settings,
      provider,
      resource: { aws_s3_bucket: resource.aws_s3_bucket },
    });
    const id = `x\${file("/etc/passwd")}%{if true}`;
    const blocks = importFile([{ to: "aws_s3_bucket.exports", id }]);
    await writeFile(join(folder, "imports.tf.json"), blocks);
    await expect(sandbox.terraform.plan(folder, { out: "plan.bin" })).rejects.toThrow(
      `there is no aws_s3_bucket called ${id}`,
    );
  });
});
