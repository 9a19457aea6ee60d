/** The workflows that plan and apply, line by line, with the real Terraform and the stand-in provider. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../support/terraform.js";
import { openWorkflowEstate, type WorkflowEstate } from "../support/workflow-estate.js";
import { type Context, type JobOutcome, runJob } from "../support/workflow-run.js";

const ROOT = join(import.meta.dirname, "..", "..");
const ENVIRONMENT = "staging";
const VARIABLES = {
  TF_VAR_image_tag: "0123456789abcdef0123456789abcdef01234567",
  TF_VAR_alarm_endpoint: "https://events.example.test/integration",
};

let sandbox: TerraformSandbox;
let estate: WorkflowEstate;
let scratch: string;

describe.runIf(terraformPlatform !== null)("terraform: workflows", () => {
  beforeAll(async () => {
    sandbox = await openTerraformSandbox();
    estate = openWorkflowEstate(sandbox, VARIABLES);
    scratch = estate.scratch;
  });
  afterAll(async () => {
    estate?.remove();
    await sandbox?.remove();
  });

  test("terraform: what was merged is planned, judged, sealed, and applied as it was sealed; then there is nothing to do", async () => {
    const planned = plan("network");
    expect(planned.failedAt, planned.log).toBeNull();
    expect(planned.outputs.changes).toBe("true");
    const kept = readdirSync(join(scratch, "artifacts", `plan-${ENVIRONMENT}-network`)).sort();
    expect(kept).toEqual([".terraform.lock.hcl", "plan.bin", "plan.seal.json"]);

    const applied = apply("network");
    expect(applied.failedAt, applied.log).toBeNull();
    expect(Object.keys((await sandbox.readEstate()).resources).join(" ")).toContain("aws_vpc/");

    // The same plan once more: the state has moved on since.
    const log = refusal(apply("network"));
    expect(log).toMatch(/stateSerial: found [1-9]\d*, and it was sealed to 0/);

    cpSync(join(scratch, "artifacts", `plan-${ENVIRONMENT}-network`), join(scratch, "of-network"), {
      recursive: true,
    });
    const again = plan("network");
    expect(again.failedAt, again.log).toBeNull();
    expect(again.outputs.changes).toBe("false");
    expect(again.ran).not.toContain("Seal");
  });

  test("terraform: a plan is refused when commit, policies or the plan itself are not those that were judged", async () => {
    const planned = plan("data");
    expect(planned.failedAt, planned.log).toBeNull();
    const before = JSON.stringify(await sandbox.readEstate());

    estate.commit("something else was merged");
    expect(refusal(apply("data"))).toContain("commit: found");

    const place = join(scratch, "artifacts", `plan-${ENVIRONMENT}-data`);
    const seal = join(place, "plan.seal.json");
    const sealed = readFileSync(seal, "utf8");
    const head = execFileSync("git", ["rev-parse", "HEAD"], {
      cwd: estate.checkout,
      encoding: "utf8",
    }).trim();
    writeFileSync(seal, sealed.replace(/"commit": "\w+"/, `"commit": "${head}"`));
    estate.edit("infrastructure.yaml", (text) => text.replace("poolSize: 20", "poolSize: 19"));
    expect(refusal(apply("data"))).toContain("policyDigest: found");
    estate.edit("infrastructure.yaml", (text) => text.replace("poolSize: 19", "poolSize: 20"));

    cpSync(join(scratch, "of-network", "plan.bin"), join(place, "plan.bin"));
    expect(refusal(apply("data"))).toContain("planSha256: found");
    rmSync(seal);
    expect(refusal(apply("data"))).toContain("no seal");
    expect(JSON.stringify(await sandbox.readEstate())).toBe(before);
  });

  test("terraform: a pull request is planned by the code of the branch it is merged into, and only what is redacted is kept", () => {
    const synth = runJob(estate.world, "plan.yml", "synth", {});
    expect(synth.failedAt, synth.log).toBeNull();
    const planned = runJob(estate.world, "plan.yml", "plan", pullRequest());
    expect(planned.ran).toEqual([
      `actions/download-artifact@${pin("actions/download-artifact")}`,
      "Check",
      "Plan",
      "Review",
      `actions/upload-artifact@${pin("actions/upload-artifact")}`,
    ]);
    const review = `review-${ENVIRONMENT}`;
    expect(readdirSync(join(scratch, "artifacts", review))).toEqual([`${review}.md`]);
    const text = readFileSync(join(scratch, "artifacts", review, `${review}.md`), "utf8");
    for (const stack of ["network", "data", "services"]) expect(text).toContain(stack);
    expect(text.length).toBeLessThanOrEqual(60_000);
  });

  test("terraform: a branch that reaches for more is stopped before Terraform is started", () => {
    const synth = runJob(estate.world, "plan.yml", "synth", {});
    expect(synth.failedAt, synth.log).toBeNull();
    const file = join(
      scratch,
      "artifacts",
      "stacks",
      `algobrain-${ENVIRONMENT}-network`,
      "cdk.tf.json",
    );
    const document = JSON.parse(readFileSync(file, "utf8"));
    document.resource.terraform_data = {
      own: { provisioner: [{ "local-exec": { command: "env" } }] },
    };
    writeFileSync(file, JSON.stringify(document));
    rmSync(estate.calls, { force: true });
    const planned = runJob(estate.world, "plan.yml", "plan", pullRequest());
    expect(planned.failedAt).toBe("Check");
    expect(planned.log).toMatch(/provisioner|terraform_data/);
    expect(planned.ran).not.toContain("Plan");
    expect(existsSync(estate.calls) ? readFileSync(estate.calls, "utf8") : "").not.toContain(
      "plan",
    );
  });
});

function plan(stack: string): JobOutcome {
  rmSync(join(scratch, "artifacts", `plan-${ENVIRONMENT}-${stack}`), {
    recursive: true,
    force: true,
  });
  return runJob(estate.world, "apply-stack.yml", "plan", inputs(stack));
}

function apply(stack: string): JobOutcome {
  return runJob(estate.world, "apply-stack.yml", "apply", inputs(stack));
}

/** What the log says of an apply that did not take place. */
function refusal({ failedAt, log }: JobOutcome): string {
  expect(failedAt, log).toBe("Apply");
  return log;
}

const inputs = (stack: string): Context => ({
  inputs: { environment: ENVIRONMENT, stack },
  secrets: { "alarm-endpoint": VARIABLES.TF_VAR_alarm_endpoint },
});
const pullRequest = (): Context => ({ matrix: { environment: ENVIRONMENT } });

function pin(action: string): string {
  const text = readFileSync(join(ROOT, ".github/workflows/plan.yml"), "utf8");
  return new RegExp(`${action}@(\\w+)`).exec(text)![1]!;
}
