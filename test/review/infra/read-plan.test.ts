/** The JSON of a plan is foreign data: what real Terraform writes is read, and anything else is named and refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/base/json.js";
import { readPlan } from "../../../src/review/infra/read-plan.js";
import { changeJson, madePlan, madePlanJson, plan, sound } from "../../support/plans.js";

const problemsOf = (json: unknown) => {
  const read = readPlan(json, { stack: "data", file: "plan.json" });
  return read.ok ? [] : read.problems.map(({ message }) => message);
};
const leavesOf = (made: Parameters<typeof changeJson>[1], address = "aws_x.y") =>
  madePlan([changeJson(address, made)]).changes[0]!.leaves;

describe("a plan of the real Terraform", () => {
  test("one number is one attribute with both of its values", () => {
    const changed = plan("one-number").changes.filter(({ actions }) => actions.includes("update"));
    expect(changed.map(({ address, stack, leaves }) => [address, stack, leaves])).toEqual([
      [
        "aws_appautoscaling_target.workers-scaling-target",
        "services",
        [
          {
            path: "max_capacity",
            before: { kind: "value", text: "120" },
            after: { kind: "value", text: "100" },
          },
        ],
      ],
    ]);
  });

  test("what forces a replacement, what has drifted, which outputs change", () => {
    const bucket = plan("bucket-replaced").changes.find(({ type }) => type === "aws_s3_bucket");
    expect(bucket).toMatchObject({
      ...{ actions: ["delete", "create"], replacePaths: ["bucket"] },
      reason: "replace_because_cannot_update",
    });
    expect(plan("drifted").drift.map(({ address, actions }) => [address, actions])).toEqual([
      ["aws_appautoscaling_target.workers-scaling-target", ["update"]],
      ["aws_cloudwatch_log_group.workers-logs", ["delete"]],
    ]);
    expect(plan("output").outputsChanged).toEqual(["extra"]);
    expect(plan("nothing").changes.every(({ actions }) => actions[0] === "no-op")).toBe(true);
  });

  test("a plan without resources has no list of them", () => {
    expect(sound({ format_version: "1.2", terraform_version: "1.11.4" })).toMatchObject({
      ...{ changes: [], drift: [], complete: true, errored: false },
    });
  });
});

describe("refuses", () => {
  test.each<[string, unknown, RegExp]>([
    ["no JSON object", null, /no JSON object/],
    ["another major version", madePlanJson([], { format_version: "2.0" }), /"2\.0", expected 1\.x/],
    ["no version", {}, /format_version nothing/],
    ["a version that hides something", { format_version: "1.2 <b>" }, /something else/],
    [
      "changes that are no list",
      { format_version: "1.2", resource_changes: {} },
      /expected a list/,
    ],
    [
      "an action nobody knows",
      madePlanJson([changeJson("a.b", { actions: ["destroy"] })]),
      /actions \["destroy"\]/,
    ],
    [
      "an action twice",
      madePlanJson([changeJson("a.b", { actions: ["update", "update"] })]),
      /expected some of/,
    ],
    ["no action", madePlanJson([changeJson("a.b", { actions: [] })]), /actions \[\]/],
    ["no address", { format_version: "1.2", resource_changes: [{ change: {} }] }, /no address/],
    ["no change", { format_version: "1.2", resource_changes: [{ address: "a.b" }] }, /no change/],
    ["an address of several lines", madePlanJson([changeJson("a.b\n::add-mask::x")]), /no address/],
    ["an address without end", madePlanJson([changeJson(`a.${"b".repeat(600)}`)]), /no address/],
  ])("%s", (_what, json, message) => {
    expect(problemsOf(json)).toEqual([expect.stringMatching(message)]);
  });

  test("and says ten problems of a thousand", () => {
    const wrong = Array.from({ length: 1_000 }, () => changeJson("a.b", { actions: ["x"] }));
    expect(problemsOf(madePlanJson(wrong))).toHaveLength(10);
  });
});

test("whatever stands in a plan, it is read or refused, never an error of our own", () => {
  const anything = fc.jsonValue({ maxDepth: 4 }).map((value) => value as Json);
  const keys = ["actions", "before", "after", "after_unknown", "before_sensitive", "replace_paths"];
  const change = fc.dictionary(fc.constantFrom(...keys), anything);
  fc.assert(
    fc.property(change, anything, anything, (made, drift, output) => {
      const one = { ...changeJson("aws_ecs_task_definition.x"), change: made };
      const sound = { ...one, change: { ...made, actions: ["update"] } };
      const more = { resource_drift: drift, output_changes: output };
      expect(readPlan({ ...madePlanJson([one]), ...more })).toHaveProperty("ok");
      expect(readPlan(madePlanJson([sound]))).toHaveProperty("ok");
    }),
    { numRuns: 300 },
  );
});

test("a key that every object seems to have is a name like any other", () => {
  const made = (before: Json, after: Json) => ({
    ...changeJson("aws_ecs_task_definition.x"),
    change: { actions: ["update"], before, after },
  });
  const containers = (one: Json) => ({ container_definitions: JSON.stringify([one]) });
  const plans = [
    madePlanJson([made({ toString: 0 }, {})]),
    madePlanJson([made(containers({ valueOf: 0 }), containers({}))]),
  ];
  for (const plan of plans) {
    const read = readPlan(plan);
    expect(read.ok && read.value.changes[0]?.leaves).toHaveLength(1);
  }
});

describe("not whole", () => {
  test.each([
    ["errored", { errored: true }, { errored: true, complete: true }],
    ["incomplete", { complete: false }, { errored: false, complete: false }],
    ["deferred", { deferred_changes: [{}] }, { errored: false, complete: false }],
  ])("%s", (_what, more, expected) => {
    expect(madePlan([], more as { [key: string]: Json })).toMatchObject(expected);
  });
});

describe("what differs", () => {
  const value = (text: string) => ({ kind: "value", text });

  test("is found in lists and blocks by its path; what is equal is not told", () => {
    const before: Json = { rule: [{ id: "a", days: 30 }, { days: 7 }], same: { x: 1 } };
    const after = { rule: [{ id: "a", days: 20 }], same: { x: 1 } };
    expect(leavesOf({ before, after })).toEqual([
      { path: "rule[0].days", before: value("30"), after: value("20") },
      { path: "rule[1].days", before: value("7"), after: { kind: "absent" } },
    ]);
  });

  test("is not shown where Terraform marks it, whole or in part", () => {
    const sides = { before: { a: { n: 1 }, list: [1, 2] }, after: { a: { n: 2 }, list: [1, 3] } };
    expect(leavesOf({ ...sides, beforeSensitive: true })).toEqual([
      { path: "", before: { kind: "hidden", length: 26 }, after: { kind: "hidden", length: 26 } },
    ]);
    const leaves = leavesOf({ ...sides, afterSensitive: { a: true, list: [false, true] } });
    expect(leaves.map(({ path, after }) => [path, after.kind])).toEqual([
      ["a", "hidden"],
      ["list[1]", "hidden"],
    ]);
  });

  test("is unknown where only the apply will tell", () => {
    expect(leavesOf({ before: { cpu: 1 }, after: {}, unknown: { cpu: true } })).toEqual([
      { path: "cpu", before: value("1"), after: { kind: "unknown" } },
    ]);
  });

  test("of containers: the tag, sizes, and names of variables", () => {
    const container = (tag: string, cpu: number, secret: string, extra: object = {}) =>
      JSON.stringify([
        {
          ...{ name: "api", image: `1.dkr.ecr.x/api:${tag}`, cpu, ...extra },
          environment: [{ name: "TOKEN", value: secret }],
        },
      ]);
    const before = { container_definitions: container("a".repeat(40), 256, "old") };
    const after = {
      container_definitions: container("b".repeat(40), 512, "young!", { user: "0" }),
    };
    expect(leavesOf({ before, after })).toEqual([
      {
        path: "container_definitions[0].image",
        before: value("a".repeat(40)),
        after: value("b".repeat(40)),
      },
      { path: "container_definitions[0].cpu", before: value("256"), after: value("512") },
      {
        path: "container_definitions[0].environment[TOKEN]",
        before: { kind: "hidden", length: 3 },
        after: { kind: "hidden", length: 6 },
      },
      {
        path: "container_definitions[0].user",
        before: { kind: "absent" },
        after: { kind: "hidden", length: 1 },
      },
    ]);
  });

  test("of containers with the same tag of another repository is still a change", () => {
    const of = (host: string) => ({
      container_definitions: JSON.stringify([{ image: `${host}:${"a".repeat(40)}` }]),
    });
    expect(leavesOf({ before: of("ours"), after: of("theirs") })).toHaveLength(1);
  });

  test("of policies: actions that come and go, and that more differs", () => {
    const policy = (actions: string[], resource = "x") => ({
      policy: JSON.stringify({
        Statement: [{ Effect: "Allow", Action: actions, Resource: resource }],
      }),
    });
    const told = (before: Json, after: Json) =>
      leavesOf({ before, after }).map(({ path, before: old, after: young }) => [
        path,
        old.kind,
        young.kind,
      ]);
    expect(told(policy(["s3:GetObject"]), policy(["s3:*", "s3:GetObject"]))).toEqual([
      ["policy[s3:*]", "absent", "value"],
    ]);
    expect(told(policy(["s3:GetObject"]), policy(["s3:GetObject"], "*"))).toEqual([
      ["policy.statements", "hidden", "hidden"],
    ]);
    expect(told({ policy: "{}" }, { policy: "no JSON" })).toEqual([["policy", "hidden", "hidden"]]);
  });

  test("nested without end is refused, and no stack runs over", () => {
    const deep = Array.from({ length: 20_000 }).reduce<Json>((inner) => ({ a: inner }), 1);
    const json = madePlanJson([changeJson("a.b", { before: deep })]);
    expect(problemsOf(json)).toEqual([expect.stringContaining("nested deeper")]);
    const policy = `${"[".repeat(5_000)}1${"]".repeat(5_000)}`;
    expect(leavesOf({ before: {}, after: { policy } })).toMatchObject([
      { path: "policy", after: { kind: "hidden", length: policy.length } },
    ]);
  });
});
