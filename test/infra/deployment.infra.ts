/** Between two applies code is deployed: drift knows it, and no plan of before takes it back. With the real Terraform. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { orderedDocuments } from "../support/ordered-documents.js";
import { repositoryPolicy } from "../support/repository-policy.js";
import {
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../support/terraform.js";
import { applyFirst, openWorkflowEstate, type WorkflowEstate } from "../support/workflow-estate.js";
import { type JobOutcome, runJob } from "../support/workflow-run.js";

const ENVIRONMENT = "staging";
const SIZES = `environments/${ENVIRONMENT}.yaml`;
const [APPLIED, DEPLOYED] = ["1".repeat(40), "2".repeat(40)];
const ENDPOINT = "https://events.example.test/integration";
const SECRETS = { "alarm-endpoint": ENDPOINT, ALGOBRAIN_VIEWER_TOKEN: "viewer" };

let sandbox: TerraformSandbox;
let estate: WorkflowEstate;
let runtime: ChildProcess;
let url: string;

describe.runIf(terraformPlatform !== null)("terraform: a deployment between two applies", () => {
  beforeAll(async () => {
    sandbox = await openTerraformSandbox({ image_tag: APPLIED, alarm_endpoint: ENDPOINT });
    const variables = { TF_VAR_image_tag: APPLIED, TF_VAR_alarm_endpoint: ENDPOINT };
    estate = openWorkflowEstate(sandbox, variables);
    [runtime, url] = await startRuntime();
    for (const stack of await orderedDocuments(await repositoryPolicy(ENVIRONMENT)))
      await applyFirst(sandbox, estate, stack);
  });
  afterAll(async () => {
    runtime?.kill();
    estate?.remove();
    await sandbox?.remove();
  });

  test("terraform: takes back no code by a plan that waited for its reviewers", async () => {
    estate.edit(SIZES, (text) => text.replace("min: 2, max: 12", "min: 2, max: 11"));
    estate.commit("fewer workers");
    const planned = job("apply-stack.yml", "plan", APPLIED);
    expect(planned.failedAt, planned.log).toBeNull();
    expect(planned.outputs.changes, planned.log).toBe("true");
    await deploy();
    const before = JSON.stringify(await sandbox.readEstate());
    const refused = job("apply-stack.yml", "apply", DEPLOYED);
    expect(refused.failedAt, refused.log).toBe("Apply");
    expect(refused.log).toContain(`imageTag: found ${DEPLOYED}, and it was sealed to ${APPLIED}`);
    expect(JSON.stringify(await sandbox.readEstate())).toBe(before);
    estate.edit(SIZES, (text) => text.replace("min: 2, max: 11", "min: 2, max: 12"));
    estate.commit("as many as before");
  });

  test("terraform: is known to drift, in every stack that has tasks", () => {
    const looked = look();
    expect(looked.failedAt, looked.log).toBeNull();
    expect(told(`drift-${ENVIRONMENT}.state`).trim(), told(`drift-${ENVIRONMENT}.md`)).toBe(
      "only-known",
    );
  });

  test("terraform: stands for nothing else that is done to a service, nor to a role", async () => {
    await sandbox.editEstate(({ resources }) => {
      resources[PLAN_ROLE]!.policy_names = ["power", "given-by-hand"];
      const [api] = services(resources).filter(({ name }) => name === "api");
      Object.assign(api!, { enable_execute_command: true, deployment_maximum_percent: 400 });
    });
    const looked = look();
    expect(looked.failedAt).toBe("Drift");
    expect(looked.log).toContain(
      "aws_iam_role_policies_exclusive.plan-role-written: nobody stands for it, report",
    );
    expect(told(`drift-${ENVIRONMENT}.md`)).toMatch(
      /Nobody stands for it[\s\S]*aws\\_ecs\\_service\.api-service/,
    );
  });
});

const PLAN_ROLE = `aws_iam_role_policies_exclusive/algobrain-${ENVIRONMENT}-plan`;

/** As the runbook does it: a revision of its own for each service, of the same task. */
async function deploy(): Promise<void> {
  await sandbox.editEstate(({ resources }) => {
    for (const service of services(resources))
      service.task_definition = String(service.task_definition).replace(/:\d+$/, ":9");
  });
}

function services(resources: Awaited<ReturnType<typeof sandbox.readEstate>>["resources"]) {
  return Object.entries(resources)
    .filter(([key]) => key.startsWith("aws_ecs_service/"))
    .map(([, service]) => service);
}

/** @param image what `infra running-tag` finds at that time */
function job(file: string, name: string, image: string): JobOutcome {
  const context = { inputs: { environment: ENVIRONMENT, stack: "services" }, secrets: SECRETS };
  return runJob(worldWith(image), file, name, context);
}

function look(): JobOutcome {
  rmSync(join(estate.scratch, "artifacts"), { recursive: true, force: true });
  const matrix = { environment: ENVIRONMENT, role: "plan", url };
  return runJob(worldWith(DEPLOYED), "drift.yml", "look", { matrix, secrets: SECRETS });
}

function worldWith(image: string) {
  return { ...estate.world, env: { ...estate.world.env, TF_VAR_image_tag: image } };
}

function told(file: string): string {
  return readFileSync(join(estate.scratch, "artifacts", `drift-${ENVIRONMENT}`, file), "utf8");
}

/** Knows of no change that anybody stands for. With its address. */
async function startRuntime(): Promise<[ChildProcess, string]> {
  const program = join(import.meta.dirname, "..", "support", "runtime-stand-in.mjs");
  const changes = join(estate.scratch, "changes.json");
  writeFileSync(changes, "[]");
  const child = spawn(process.execPath, [program, changes], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = await once(child.stdout, "data");
  return [child, `http://127.0.0.1:${String(port).trim()}`];
}
