/** What stops, what asks, and what an exception lets through: each rule with its number on both sides of its budget. */
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/base/json.js";
import { REVIEW_DEFAULTS } from "../../../src/policy/infrastructure-defaults.js";
import type { PlanBudgets, PlanException } from "../../../src/policy/plan-review.js";
import { classify } from "../../../src/review/infra/classify.js";
import { judgePlan } from "../../../src/review/infra/judge-plan.js";
import { existingOf, type PlanDocument } from "../../../src/review/infra/plan-document.js";
import { idleExceptions } from "../../../src/review/infra/plan-exceptions.js";
import { changeJson, madePlan, plan, untouched } from "../../support/plans.js";

const NOW = new Date("2026-11-22T12:00:00Z");

interface Setting {
  readonly budgets?: Partial<PlanBudgets>;
  readonly exceptions?: readonly PlanException[];
  readonly environment?: string;
}

function judge(
  document: PlanDocument,
  { budgets, exceptions = [], environment = "production" }: Setting = {},
) {
  const at = { environment, now: NOW, existing: existingOf(document) };
  return judgePlan(document, { ...REVIEW_DEFAULTS.budgets, ...budgets }, exceptions, at);
}

const judged = (changes: readonly JsonObject[], setting?: Setting) =>
  judge(madePlan([...changes, ...untouched(100)]), setting);
const rulesOf = (verdict: ReturnType<typeof judge>) => verdict.findings.map(({ rule }) => rule);

const remove = (address: string) => changeJson(address, { actions: ["delete"], after: null });
const replace = (address: string) =>
  changeJson(address, { actions: ["delete", "create"], before: { a: 1 }, after: { a: 2 } });
const update = (address: string, before: Json, after: Json) =>
  changeJson(address, { before, after });

function exception(overrides: Partial<PlanException> = {}): PlanException {
  return {
    ...{ name: "move-exports", allows: "delete", address: "aws_s3_bucket.exports" },
    ...{
      environment: "production",
      owner: "ann",
      reason: "The bucket moves.",
      expires: "2026-11-30",
    },
    ...overrides,
  };
}

describe("a change is of the worst class that fits", () => {
  const policy = (action: string) => ({
    policy: JSON.stringify({ Statement: [{ Effect: "Allow", Action: action }] }),
  });
  test.each<[string, JsonObject, string, boolean]>([
    ["a bucket made anew", replace("aws_s3_bucket.x"), "replace-stateful", true],
    ["a database deleted", remove("aws_rds_cluster.x"), "delete-stateful", true],
    [
      "logs kept shorter",
      update("aws_cloudwatch_log_group.x", { retention_in_days: 30 }, { retention_in_days: 7 }),
      "retention-shorter",
      true,
    ],
    [
      "logs kept no longer for ever",
      update("aws_cloudwatch_log_group.x", { retention_in_days: 0 }, { retention_in_days: 365 }),
      "retention-shorter",
      true,
    ],
    [
      "logs kept for ever",
      update("aws_cloudwatch_log_group.x", { retention_in_days: 30 }, { retention_in_days: 0 }),
      "other",
      false,
    ],
    [
      "backups kept longer",
      update("aws_rds_cluster.x", { backup_retention_period: 7 }, { backup_retention_period: 14 }),
      "other",
      false,
    ],
    [
      "a database without protection",
      update("aws_rds_cluster.x", { deletion_protection: true }, { deletion_protection: false }),
      "retention-shorter",
      true,
    ],
    [
      "a bucket that may be emptied",
      update("aws_s3_bucket.x", {}, { force_destroy: true }),
      "retention-shorter",
      true,
    ],
    [
      "versions that are kept no more",
      update(
        "aws_s3_bucket_versioning.x",
        { versioning_configuration: [{ status: "Enabled" }] },
        { versioning_configuration: [{ status: "Suspended" }] },
      ),
      "retention-shorter",
      true,
    ],
    [
      "objects that begin to expire",
      update(
        "aws_s3_bucket_lifecycle_configuration.x",
        { rule: [{}] },
        { rule: [{ expiration: [{ days: 30 }] }] },
      ),
      "retention-shorter",
      true,
    ],
    [
      "a retention that only the apply will tell",
      changeJson("aws_cloudwatch_log_group.x", {
        before: { retention_in_days: 30 },
        unknown: { retention_in_days: true },
      }),
      "retention-shorter",
      true,
    ],
    ["a route deleted", remove("aws_route.x"), "delete", false],
    [
      "a resource forgotten",
      changeJson("aws_s3_bucket.x", { actions: ["forget"] }),
      "delete",
      false,
    ],
    ["a service made anew", replace("aws_ecs_service.x"), "replace", false],
    [
      "a role",
      update("aws_iam_role_policy.x", policy("s3:GetObject"), policy("s3:*")),
      "power",
      false,
    ],
    [
      "a new role",
      changeJson("aws_iam_role.x", { actions: ["create"], before: null }),
      "power",
      false,
    ],
    [
      "a new rule of a security group",
      changeJson("aws_vpc_security_group_ingress_rule.x", { actions: ["create"], before: null }),
      "power",
      false,
    ],
    [
      "who reads a queue",
      update("aws_sqs_queue.x", policy("sqs:Send"), policy("*")),
      "power",
      false,
    ],
    ["a listener", update("aws_lb_listener.x", { port: 80 }, { port: 443 }), "network", false],
    [
      "more tasks",
      update("aws_appautoscaling_target.x", { max_capacity: 10 }, { max_capacity: 12 }),
      "capacity",
      false,
    ],
    [
      "a threshold",
      update("aws_cloudwatch_metric_alarm.x", { threshold: 1 }, { threshold: 2 }),
      "alarm",
      false,
    ],
    ["an alarm deleted", remove("aws_cloudwatch_metric_alarm.x"), "alarm", false],
    [
      "another revision",
      update("aws_ecs_service.x", { task_definition: "a" }, { task_definition: "b" }),
      "deployment",
      false,
    ],
    ["a new image", replace("aws_ecs_task_definition.x"), "deployment", false],
    [
      "a new topic",
      changeJson("aws_sns_topic.x", { actions: ["create"], before: null }),
      "create",
      false,
    ],
    [
      "tags",
      update("aws_ecs_cluster.x", { tags: { a: "x" } }, { tags: { a: "y" } }),
      "other",
      false,
    ],
  ])("%s", (_what, change, expected, irreversible) => {
    expect(classify(madePlan([change]).changes[0]!)).toMatchObject({
      class: expected,
      irreversible,
    });
  });
});

describe("plans of the real Terraform", () => {
  test.each([
    ["nothing", "ok", []],
    ["one-number", "ok", []],
    ["output", "ok", []],
    ["task-replaced", "ok", []],
    ["power", "ask", ["power"]],
    ["created", "ask", ["power"]],
    ["retention-shorter", "stop", ["retention-shorter", "retention-shorter", "retention-shorter"]],
    ["deleted", "stop", ["delete-stateful"]],
    ["bucket-replaced", "stop", ["replace-stateful", "budget:replaces"]],
  ] as const)("%s: %s", (name, state, rules) => {
    const verdict = judge(plan(name));
    expect([verdict.state, rulesOf(verdict)]).toEqual([state, rules]);
  });
});

describe("is never ok when it is not whole", () => {
  test.each([
    ["errored", { errored: true }, "plan-errored"],
    ["incomplete", { complete: false }, "plan-incomplete"],
  ])("%s", (_what, more, rule) => {
    const verdict = judge(madePlan([], more));
    expect([verdict.state, rulesOf(verdict)]).toEqual(["stop", [rule]]);
  });
});

describe("budgets", () => {
  const routes = (count: number) =>
    Array.from({ length: count }, (_, index) => remove(`aws_route.r${index}`));

  test.each([
    ["deletes", { deletes: 2 }, routes(2), "ok"],
    ["deletes", { deletes: 2 }, routes(3), "stop"],
    ["replaces", { replaces: 1 }, [replace("aws_lb.a")], "ok"],
    ["replaces", { replaces: 1 }, [replace("aws_lb.a"), replace("aws_lb.b")], "stop"],
    ["alarmsRemoved", {}, ["a", "b"].map((n) => remove(`aws_cloudwatch_metric_alarm.${n}`)), "ok"],
    [
      "alarmsRemoved",
      {},
      ["a", "b", "c"].map((n) => remove(`aws_cloudwatch_metric_alarm.${n}`)),
      "stop",
    ],
    [
      "capacityGrowthPercent",
      {},
      [update("aws_appautoscaling_target.x", { max_capacity: 10 }, { max_capacity: 20 })],
      "ok",
    ],
    [
      "capacityGrowthPercent",
      {},
      [update("aws_appautoscaling_target.x", { max_capacity: 10 }, { max_capacity: 21 })],
      "stop",
    ],
    [
      "capacityGrowthPercent",
      {},
      [update("aws_ecs_service.x", { desired_count: 0 }, { desired_count: 1 })],
      "stop",
    ],
  ] as const)("%s %o", (name, budgets, changes, state) => {
    const verdict = judged(changes, { budgets });
    expect(verdict.state).toBe(state);
    if (state === "stop") expect(rulesOf(verdict)).toContain(`budget:${name}`);
  });

  test("changesPercent is a share of what exists, and a handful of changes is none", () => {
    const changed = (count: number) =>
      Array.from({ length: count }, (_, index) =>
        update(`aws_ecs_cluster.c${index}`, { a: 1 }, { a: 2 }),
      );
    expect(judge(madePlan(changed(5))).state).toBe("ok");
    expect(judge(madePlan([...changed(30), ...untouched(70)])).state).toBe("ok");
    expect(rulesOf(judge(madePlan([...changed(31), ...untouched(69)])))).toEqual([
      "budget:changesPercent",
    ]);
  });

  test("a first apply makes everything and stops at nothing", () => {
    const made = Array.from({ length: 200 }, (_, index) =>
      changeJson(`aws_sns_topic.t${index}`, { actions: ["create"], before: null, after: { a: 1 } }),
    );
    expect(judge(madePlan(made)).state).toBe("ok");
  });

  test("what leaves less than half is looked at", () => {
    const scaled = (max_capacity: number) =>
      judged([update("aws_appautoscaling_target.x", { max_capacity: 10 }, { max_capacity })]);
    expect(scaled(5).state).toBe("ok");
    expect(scaled(4)).toMatchObject({ state: "ask", findings: [{ rule: "capacity-shrinks" }] });
    expect(scaled(0).state).toBe("ask");
  });

  test("rules that delete stop where their bucket is not new", () => {
    const rules = changeJson("aws_s3_bucket_lifecycle_configuration.x", {
      ...{ actions: ["create"], before: null, after: { rule: [{ expiration: [{ days: 7 }] }] } },
    });
    const bucket = changeJson("aws_s3_bucket.x", { actions: ["create"], before: null });
    expect(judged([rules])).toMatchObject({
      state: "stop",
      findings: [{ rule: "retention-shorter" }],
    });
    expect(judged([rules, bucket]).state).toBe("ok");
  });

  test("a stateful delete within its budget is still looked at", () => {
    const verdict = judged([remove("aws_s3_bucket.exports")], { budgets: { statefulDeletes: 1 } });
    expect([verdict.state, rulesOf(verdict)]).toEqual(["ask", ["delete-stateful"]]);
  });
});

describe("an exception", () => {
  const gone = [remove("aws_s3_bucket.exports")];

  test("lets one through, by name, with its owner and its end", () => {
    const verdict = judged(gone, { exceptions: [exception()] });
    expect(verdict).toEqual({
      state: "ok",
      findings: [
        {
          rule: "delete-stateful",
          text: expect.stringContaining("aws_s3_bucket.exports"),
          addresses: ["aws_s3_bucket.exports"],
          excepted: { name: "move-exports", owner: "ann", expires: new Date("2026-11-30") },
        },
      ],
    });
  });

  test.each([
    ["of another address", { address: "aws_s3_bucket.export" }],
    ["of a longer address", { address: "aws_s3_bucket.exports-2" }],
    ["of another type", { address: "aws_s3.*" }],
    ["of another environment", { environment: "staging" }],
    ["of another act", { allows: "replace" }],
    ["of another budget", { allows: "budget:deletes" }],
    ["that ended yesterday", { expires: "2026-11-21" }],
    ["whose end cannot be read", { expires: "soon" }],
  ] as const)("%s lets nothing through", (_what, overrides) => {
    expect(judged(gone, { exceptions: [exception(overrides)] }).state).toBe("stop");
  });

  test.each([
    ["of all of a type", { address: "aws_s3_bucket.*" }],
    ["on its last day", { expires: "2026-11-22" }],
    ["of the budget of stateful deletes", { allows: "budget:statefulDeletes" }],
  ] as const)("%s does", (_what, overrides) => {
    expect(judged(gone, { exceptions: [exception(overrides)] }).state).toBe("ok");
  });

  test("lets through what it names, and the budget counts the rest", () => {
    const changes = [remove("aws_route.a"), remove("aws_route.b"), remove("aws_route.c")];
    const for_ = (address: string) => exception({ address, name: address.slice(-1) });
    const setting = { budgets: { deletes: 1 }, exceptions: [for_("aws_route.a")] };
    expect(judged(changes, setting).state).toBe("stop");
    expect(
      judged(changes, { ...setting, exceptions: [for_("aws_route.a"), for_("aws_route.b")] }).state,
    ).toBe("ok");
  });

  test("shorter retention needs the word delete: it deletes", () => {
    const shorter = [
      update("aws_cloudwatch_log_group.x", { retention_in_days: 30 }, { retention_in_days: 7 }),
    ];
    const of = (allows: PlanException["allows"]) => [
      exception({ allows, address: "aws_cloudwatch_log_group.*" }),
    ];
    expect(judged(shorter, { exceptions: of("delete") }).state).toBe("ok");
    expect(judged(shorter, { exceptions: of("replace") }).state).toBe("stop");
  });

  test("that nobody needs, or that has run out, is told once for all stacks", () => {
    const exceptions = [
      exception(),
      exception({ name: "idle", address: "aws_lb.x" }),
      exception({ name: "old", expires: "2026-01-01" }),
      exception({ name: "elsewhere", environment: "staging" }),
    ];
    const verdicts = [judged(gone, { exceptions }), judged([], { exceptions })];
    const at = { environment: "production", now: NOW };
    expect(idleExceptions({ exceptions, at }, verdicts)).toEqual([
      { name: "idle", owner: "ann", why: "unused" },
      { name: "old", owner: "ann", why: "expired" },
    ]);
  });
});
