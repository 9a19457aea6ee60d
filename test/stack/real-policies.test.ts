/** The policies in this repository, synthesized as they stand (requirements 1.6). */
import { describe, expect, test } from "vitest";
import { STACK_ORDER } from "../../src/policy/stack-order.js";
import { loadDirectory, readPolicyDirectory } from "../../src/runtime/policy-source.js";
import { ROOT } from "../house/source-tree.js";
import { leafChanges } from "../support/leaf-changes.js";
import { synthesized } from "../support/synthesized.js";

async function policyOf(environment: string) {
  const directory = await readPolicyDirectory("policies", { cwd: ROOT, packageRoot: ROOT });
  const checked = loadDirectory(directory, environment);
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.value;
}

describe.each(["production", "staging", "local"])("%s", (environment) => {
  test("fits the provider's schema and the limits of AWS", async () => {
    const { synthesis } = await synthesized(await policyOf(environment));
    expect(synthesis.stacks).toHaveLength(STACK_ORDER.length);
  });

  test("watches every level of every rule, or says why not", async () => {
    const policy = await policyOf(environment);
    const { synthesis, resources } = await synthesized(policy);
    const alarms = Object.keys(resources("aws_cloudwatch_metric_alarm"));
    const watched = alarms.filter((id) => id.startsWith("alarm-")).length;
    const levels = policy.alerts.flatMap((rule) => rule.levels);
    expect(watched + synthesis.leftOut.length).toBe(levels.length);
    expect(watched).toBeGreaterThan(0);
  });
});

test("production has the handbook's numbers (HB-aws-01…04, -07, -08, -15, -18, HB-met-06, HB-met-07)", async () => {
  const output = await synthesized(await policyOf("production"));
  expect(output.resource("aws_ecs_cluster", "cluster").name).toBe("algobrain-prod");
  expect(output.resource("aws_appautoscaling_target", "api-scaling-target")).toMatchObject({
    min_capacity: 2,
    max_capacity: 10,
  });
  expect(output.resource("aws_appautoscaling_target", "workers-scaling-target")).toMatchObject({
    min_capacity: 12,
    max_capacity: 120,
  });
  expect(output.resource("aws_ecs_service", "orchestrator-service").desired_count).toBe(1);
  expect(output.resource("aws_appautoscaling_policy", "api-cpu-scaling")).toMatchObject({
    target_tracking_scaling_policy_configuration: {
      target_value: 70,
      scale_in_cooldown: 300,
      scale_out_cooldown: 60,
    },
  });
  expect(output.resource("aws_appautoscaling_policy", "workers-queue-depth-scaling")).toMatchObject(
    {
      target_tracking_scaling_policy_configuration: {
        target_value: 500,
        scale_in_cooldown: 600,
        scale_out_cooldown: 120,
      },
    },
  );
  for (const group of Object.values(output.resources("aws_cloudwatch_log_group")))
    expect(group.retention_in_days).toBe(30);
  expect(output.resource("aws_s3_bucket", "exports").bucket).toBe("algobrain-exports");
  expect(output.resource("aws_cloudwatch_metric_alarm", "alarm-AR-06")).toMatchObject({
    metric_name: "JobQueueDepth",
    namespace: "AlgoBrain",
    threshold: 1000,
    period: 600,
  });
  expect(output.resource("aws_cloudwatch_metric_alarm", "alarm-AR-02")).toMatchObject({
    threshold: 0.05,
    period: 300,
  });
});

test("one threshold in the repository's policies is one leaf in production's plan", async () => {
  const policy = await policyOf("production");
  const alerts = policy.alerts.map((rule) => ({
    ...rule,
    levels: rule.levels.map((level) => (level.id === "AR-06" ? { ...level, value: 1200 } : level)),
  }));
  const [before, after] = [await synthesized(policy), await synthesized({ ...policy, alerts })];
  expect(leafChanges(before.documents, after.documents)).toEqual([
    { at: expect.stringMatching(/alarm-AR-06\.threshold$/), before: 1000, after: 1200 },
  ]);
});
