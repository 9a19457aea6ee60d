/** How Terraform is called: never a prompt, never a value on the command line; and what of its words people get. */
import { describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import { createTerraform } from "../../src/adapter/terraform.js";
import type { Shell, ShellOptions, ShellResult } from "../../src/runbook/port.js";

const ENDED: ShellResult = {
  ...{ exitCode: 0, signal: null, endedBy: "exit", stdout: "", stderr: "" },
  ...{ droppedBytes: 0, durationMs: 1 },
};

function makeTerraform(result: Partial<ShellResult> = {}) {
  const calls: { argv: readonly string[]; options: ShellOptions }[] = [];
  const shell: Shell = {
    run: async (argv, options) => {
      calls.push({ argv, options });
      return { ...ENDED, ...result };
    },
    lines: () => {
      throw new Error("terraform is never streamed");
    },
  };
  const env = { TF_VAR_alarm_endpoint: "https://events.example.test/key-of-pagerduty" };
  return { calls, terraform: createTerraform({ shell, signal: AbortSignal.any([]), env }) };
}

describe("a call", () => {
  test("of a plan saves it, waits for the lock and asks nobody", async () => {
    const { calls, terraform } = makeTerraform({ exitCode: 2 });
    expect(await terraform.plan("/stacks/data", { out: "plan.bin" })).toBe("changes");
    expect(calls[0]?.argv.join(" ")).toBe(
      "terraform plan -input=false -no-color -lock-timeout=2m -detailed-exitcode -out=plan.bin",
    );
    expect(calls[0]?.options.cwd).toBe("/stacks/data");
  });

  test("of an apply takes the saved plan and nothing else: what was reviewed is what happens", async () => {
    const { calls, terraform } = makeTerraform();
    await terraform.apply("/stacks/data", "plan.bin");
    const words = ["apply", "-json", "-input=false", "-lock-timeout=2m", "plan.bin"];
    expect(calls[0]?.argv.slice(-6)).toEqual(["terraform", ...words]);
  });

  test("hands values over in the environment, and each has an end", async () => {
    const { calls, terraform } = makeTerraform();
    await terraform.init("/stacks/data", { pluginDir: "/mirror" });
    await terraform.plan("/stacks/data", { out: "plan.bin" });
    await terraform.apply("/stacks/data", "plan.bin");
    expect(JSON.stringify(calls.map(({ argv }) => argv))).not.toContain("key-of-pagerduty");
    for (const { options } of calls) {
      expect(options.env?.TF_VAR_alarm_endpoint).toContain("key-of-pagerduty");
      expect(options.timeoutMs).toBeGreaterThan(0);
    }
  });
});

describe("a failure", () => {
  test("says what and where, without the lines of the configuration that Terraform quotes", async () => {
    const stderr = [
      "Error: Unsupported attribute",
      "",
      "  on cdk.tf.json line 12, in resource.aws_ecs_task_definition.api-task:",
      '  12:       "environment": "[{\\"value\\":\\"a-secret\\"}]",',
      "    ├────────────────",
      '    │ var.token is "another-secret"',
      "",
      "This object has no attribute of that name.",
    ].join("\n");
    const { terraform } = makeTerraform({ exitCode: 1, stderr });
    const complaint = await terraform.plan("/s", { out: "p" }).then(() => "none", String);
    expect(complaint).toContain("Error: Unsupported attribute\n  on cdk.tf.json line 12");
    expect(complaint).toContain("This object has no attribute");
    expect(complaint).not.toContain("secret");
  });

  test("of a validation that said nothing is no sound configuration", async () => {
    const silent = withProgram("/bin/false");
    await expect(silent.validate("/")).resolves.toEqual([
      { summary: "terraform validate did not say that it is valid", detail: "" },
    ]);
  });

  test("of time is told apart from one of the configuration", async () => {
    const { terraform } = makeTerraform({ exitCode: null, signal: "SIGTERM", endedBy: "timeout" });
    await expect(terraform.apply("/s", "p")).rejects.toMatchObject({
      code: "TERRAFORM_TIMED_OUT",
      kind: "transient",
    });
  });

  test("exit 2 means changes to a plan, and nothing good to an apply", async () => {
    const { terraform } = makeTerraform({ exitCode: 2 });
    await expect(terraform.apply("/s", "p")).rejects.toMatchObject({ code: "TERRAFORM_FAILED" });
  });
});

describe("where there is no terraform", () => {
  const terraform = withProgram("no-such-terraform");

  test.each([
    ["init", () => terraform.init("/")],
    ["show", () => terraform.showPlan("/", "plan.bin")],
  ])("%s says so", async (_step, call) => {
    await expect(call()).rejects.toMatchObject({ code: "TERRAFORM_MISSING", kind: "refused" });
  });
});

function withProgram(program: string) {
  const shell = createShell({ redact: (text) => text });
  return createTerraform({ shell, signal: AbortSignal.any([]), program });
}
