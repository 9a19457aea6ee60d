/** The proof is only worth what it finds: each mistake planted in a sound stack is named at its place. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/base/json.js";
import { checkStack } from "../../stacks/synth.js";
import { makePolicy } from "../support/make-policy.js";
import { withPlanted } from "../support/planted.js";
import { synthesized } from "../support/synthesized.js";

let services: JsonObject;
beforeAll(async () => {
  const { documents } = await synthesized(makePolicy());
  services = documents["algobrain-production-services"]!;
});

const SERVICE = "resource/aws_ecs_service/api-service";
const TASK = "resource/aws_ecs_task_definition/api-task";
const TARGET = "resource/aws_appautoscaling_target/api-scaling-target";
const LOGS = "resource/aws_cloudwatch_log_group/api-logs";
const BALANCER = "resource/aws_lb/balancer";
const TRACKING =
  "resource/aws_appautoscaling_policy/api-cpu-scaling/target_tracking_scaling_policy_configuration";

function findings(set: Readonly<Record<string, Json>>): string[] {
  return checkStack(withPlanted(services, set)).map(({ at, message }) => `${at} ${message}`);
}

test("the sound stack has no findings", () => {
  expect(checkStack(services)).toEqual([]);
});

describe("against the schema", () => {
  test.each<[string, Record<string, Json>, RegExp]>([
    [
      "an unknown argument",
      { [`${SERVICE}/desired_coun`]: 3 },
      /desired_coun is unknown.*"desired_count"/,
    ],
    [
      "a read-only argument",
      { [`${BALANCER}/arn`]: "arn:aws:ecs:x" },
      /balancer\.arn is read-only/,
    ],
    ["a missing argument", { [`${SERVICE}/name`]: null }, /api-service must have "name"/],
    [
      "a wrong type",
      { [`${TARGET}/max_capacity`]: "many" },
      /max_capacity found "many", expected number/,
    ],
    [
      "a list where a text belongs",
      { [`${BALANCER}/name`]: ["a"] },
      /found \["a"\], expected string/,
    ],
    [
      "a text where a list belongs",
      { [`${TASK}/requires_compatibilities`]: "FARGATE" },
      /expected a list/,
    ],
    [
      "two of a single block",
      {
        [`${SERVICE}/deployment_circuit_breaker`]: [
          { enable: true, rollback: true },
          { enable: true, rollback: true },
        ],
      },
      /has 2 blocks, expected at most 1/,
    ],
    [
      "a block without its argument",
      { [`${SERVICE}/deployment_circuit_breaker`]: { enable: true } },
      /must have "rollback"/,
    ],
    [
      "a text where a block belongs",
      { [`${SERVICE}/network_configuration`]: "vpc" },
      /expected a block/,
    ],
    ["an unknown key inside a block", { [`${TRACKING}/cooldown`]: 1 }, /cooldown is unknown/],
    [
      "an unknown type",
      { "resource/aws_ecs_servise/x": {} },
      /no resource type "aws_ecs_servise".*aws_ecs_service/,
    ],
    [
      "an unknown lifecycle argument",
      { [`${SERVICE}/lifecycle/prevent_destory`]: true },
      /prevent_destory is unknown/,
    ],
    [
      "an ignored change of nothing",
      { [`${SERVICE}/lifecycle/ignore_changes`]: ["desired"] },
      /ignore_changes\.desired is unknown/,
    ],
    [
      "an unknown argument of the provider",
      { provider: { aws: [{ regoin: "x" }] } },
      /provider\.aws\[0\]\.regoin is unknown/,
    ],
  ])("%s", (_what, set, message) => {
    expect(findings(set)).toEqual([expect.stringMatching(message)]);
  });
});

describe("in references", () => {
  const cluster = (text: string) => ({ [`${SERVICE}/cluster`]: text });
  test.each<[string, Record<string, Json>, RegExp]>([
    [
      "an undeclared resource",
      cluster(`\${aws_lb.balancre.arn}`),
      /aws_lb\.balancre, which is not declared.*balancer/,
    ],
    [
      "an undeclared variable",
      cluster(`\${var.clustre}`),
      /refers to var\.clustre, which is not declared/,
    ],
    [
      "an attribute that the target lacks",
      cluster(`\${aws_lb.balancer.nam}`),
      /"nam", which aws_lb\.balancer does not have.*"name"/,
    ],
    [
      "an expression that never ends",
      cluster("${aws_lb.balancer.arn"),
      /begins with "\$\{" and never ends/,
    ],
    [
      "a reference inside a text of JSON",
      { [`${TASK}/container_definitions`]: `[{"image":"a:\${var.tag}"}]` },
      /refers to var\.tag/,
    ],
    [
      "a dependency on nothing",
      { [`${SERVICE}/depends_on`]: ["aws_lb.front"] },
      /names aws_lb\.front, which is not declared/,
    ],
    [
      "a circle",
      { [`${LOGS}/name`]: `\${aws_ecs_task_definition.api-task.family}` },
      /waits for itself: .*api-logs.*api-task/,
    ],
  ])("%s", (_what, set, message) => {
    expect(findings(set)).toContainEqual(expect.stringMatching(message));
  });

  test("functions, indices, quoted texts and escaped dollars are no references", () => {
    const text = `\${join(".", [var.image_tag, data.terraform_remote_state.network.outputs.private_subnet_ids[0], "aws_lb.quoted.arn"])} $\${not.one}`;
    expect(findings(cluster(text))).toEqual([]);
  });
});

describe("against the limits of AWS that stand in no schema", () => {
  test.each<[string, Record<string, Json>, RegExp]>([
    [
      "a log retention CloudWatch does not know",
      { [`${LOGS}/retention_in_days`]: 31 },
      /keeps logs for 31 days/,
    ],
    ["a least above the most", { [`${TARGET}/min_capacity`]: 20 }, /scales from 20 to 10/],
    [
      "a negative cooldown",
      { [`${TRACKING}/scale_in_cooldown`]: -1 },
      /negative scale_in_cooldown/,
    ],
    ["a target of nothing", { [`${TRACKING}/target_value`]: 0 }, /target of 0 or less/],
    [
      "a size that Fargate does not offer",
      { [`${TASK}/memory`]: "1000" },
      /512 cpu units and 1000 MiB/,
    ],
    [
      "a moving image tag",
      { [`${TASK}/container_definitions`]: '[{"image":"a/b:latest"}]' },
      /never "latest"/,
    ],
    [
      "an image without a tag",
      { [`${TASK}/container_definitions`]: '[{"image":"host:5000/b"}]' },
      /never "latest"/,
    ],
    [
      "a deployment that cannot move",
      { [`${SERVICE}/deployment_maximum_percent`]: 100 },
      /no deployment can move/,
    ],
  ])("%s", (_what, set, message) => {
    expect(findings(set)).toContainEqual(expect.stringMatching(message));
  });

  test.each<[string, JsonObject, RegExp]>([
    ["an odd period", { period: 90, evaluation_periods: 1 }, /period of 90 s/],
    [
      "a look back of more than a day",
      { period: 600, evaluation_periods: 200 },
      /looks back 120000 s/,
    ],
    [
      "more points than periods",
      { evaluation_periods: 2, datapoints_to_alarm: 3 },
      /needs 3 breaching points of 2/,
    ],
    [
      "an odd period inside metric math",
      { evaluation_periods: 1, metric_query: [{ metric: { period: 45 } }] },
      /period of 45 s/,
    ],
  ])("an alarm with %s", (_what, alarm, message) => {
    const set = { "resource/aws_cloudwatch_metric_alarm/planted": alarm };
    expect(findings(set)).toContainEqual(expect.stringMatching(message));
  });

  test("an expiration before its transition", () => {
    const rule = [
      { id: "r", status: "Enabled", transition: [{ days: 30 }], expiration: [{ days: 30 }] },
    ];
    const set = { "resource/aws_s3_bucket_lifecycle_configuration/planted": { bucket: "b", rule } };
    expect(findings(set)).toContainEqual(expect.stringMatching(/expires after 30 days, before/));
  });
});

describe("of the ten mistakes that were planted to compare layer 1 with Terraform's own validate", () => {
  const ref = (expression: string) => `\${${expression}}`;
  const TEN: readonly (readonly [string, Record<string, Json>])[] = [
    ["an unknown attribute", { [`${SERVICE}/desired_coun`]: 3 }],
    ["a missing required attribute", { [`${SERVICE}/name`]: null }],
    ["a wrong type", { [`${TARGET}/max_capacity`]: "many" }],
    ["an undeclared resource", { [`${SERVICE}/cluster`]: ref("aws_lb.x.arn") }],
    ["an attribute that is not there", { [`${SERVICE}/cluster`]: ref("aws_lb.balancer.x") }],
    ["too many blocks", { [`${SERVICE}/deployment_circuit_breaker`]: [{}, {}] }],
    ["a broken expression", { [`${SERVICE}/cluster`]: "${aws_lb.balancer.arn" }],
    ["a circle", { [`${LOGS}/name`]: ref("aws_ecs_task_definition.api-task.family") }],
    // Terraform alone lets these two pass.
    ["a read-only attribute", { [`${BALANCER}/arn`]: "arn:aws:ecs:x" }],
    [
      "an unknown key of an object",
      { "resource/aws_security_group/x": { ingress: [{ port: 1 }] } },
    ],
  ];

  test("all ten are found", () => {
    const missed = TEN.filter(([, set]) => findings(set).length === 0).map(([what]) => what);
    expect([TEN.length, missed]).toEqual([10, []]);
  });
});
