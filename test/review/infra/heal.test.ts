/** What is put back by itself: a way back in place that the policy names, that nobody stands for, and nothing else. */
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/base/json.js";
import { REVIEW_DEFAULTS } from "../../../src/policy/infrastructure-defaults.js";
import type { PlanReview } from "../../../src/policy/plan-review.js";
import { type DriftReport, judgeDrift } from "../../../src/review/infra/drift.js";
import { chooseHeals, readHeals } from "../../../src/review/infra/heal.js";
import { judgeHeal } from "../../../src/review/infra/judge-heal.js";
import type { KnownDrift } from "../../../src/review/infra/known-drift.js";
import type { PlanDocument } from "../../../src/review/infra/plan-document.js";
import { changeJson, madePlan, untouched } from "../../support/plans.js";

const NOW = new Date("2026-11-22T12:00:00Z");
const TARGET = "aws_appautoscaling_target.workers-scaling-target";
const ALARM = "aws_cloudwatch_metric_alarm.alarm-AR-06";
const why = "For a test of what is put back.";

function review(heals = 3): PlanReview {
  const types = [TARGET, ALARM, "aws_rds_cluster.x", "aws_security_group.x", "aws_ecs_service.x"];
  const all = types.map((address) => address.split(".")[0]!);
  return {
    ...REVIEW_DEFAULTS,
    drift: { heals, proposals: 5, classes: { all: { types: all, mode: "heal", why } } },
  };
}

/** Somebody has changed it from `was` to `runs`; the policies say `wanted`. */
interface Drifted {
  readonly was: JsonObject;
  readonly runs: JsonObject;
  readonly wanted?: JsonObject;
  readonly actions?: readonly string[];
  readonly replacePaths?: Json;
}

function drifted(address: string, { was, runs, wanted = was, ...more }: Drifted) {
  return {
    change: changeJson(address, { before: runs, after: wanted, ...more }),
    outside: changeJson(address, { before: was, after: runs }),
  };
}

function planOf(drifts: readonly ReturnType<typeof drifted>[], more: JsonObject = {}) {
  const changes = [...drifts.map(({ change }) => change), ...untouched(40)];
  return madePlan(changes, { resource_drift: drifts.map(({ outside }) => outside), ...more });
}

const scaled = (address = TARGET) =>
  drifted(address, { was: { max_capacity: 120 }, runs: { max_capacity: 200 } });

function choose(
  plan: PlanDocument,
  more: { known?: KnownDrift[]; unasked?: string[]; wasAsked?: boolean; most?: number } = {},
  others: readonly DriftReport[] = [],
) {
  const { known = [], unasked = [], wasAsked = true, most = 3 } = more;
  const policy = review(most);
  const report = judgeDrift(plan, Object.values(policy.drift.classes), known, NOW);
  const stacks = [
    { stack: "services", report },
    ...others.map((one, at) => ({ stack: `other-${at}`, report: one })),
  ];
  const facts = { environment: "production", stacks, known, unasked, wasAsked };
  const chosen = chooseHeals({ ...facts, plans: new Map([["services", plan]]) }, policy, NOW);
  const first = chosen.stacks[0]!.report;
  const left = first.state === "failed" ? [] : first.unknown.map(({ unhealed }) => unhealed);
  return { addresses: chosen.heals.flatMap(({ addresses }) => addresses), left };
}

function known(overrides: Partial<KnownDrift> = {}): KnownDrift {
  return {
    ...{ address: TARGET, attribute: "max_capacity", kind: "temporary", owner: "ann" },
    ...{ reason: "INC-7", expires: new Date("2026-11-22T14:00:00Z") },
    ...overrides,
  };
}

describe("a look chooses", () => {
  test("a number that somebody has changed, back to what was applied before", () => {
    expect(choose(planOf([scaled()]))).toEqual({ addresses: [TARGET], left: [null] });
  });

  test.each<[string, string, Drifted, RegExp]>([
    [
      "what would be made anew",
      TARGET,
      {
        ...{ was: { max_capacity: 1 }, runs: { max_capacity: 2 } },
        ...{ actions: ["delete", "create"], replacePaths: [["max_capacity"]] },
      },
      /only values are put back/,
    ],
    [
      "what would be made",
      TARGET,
      { was: { max_capacity: 1 }, runs: {}, actions: ["create"] },
      /only values are put back/,
    ],
    [
      "what holds data",
      "aws_rds_cluster.database",
      { was: { deletion_protection: true }, runs: { deletion_protection: false } },
      /holds the database/,
    ],
    [
      "who may reach it",
      "aws_security_group.api",
      { was: { from_port: 443 }, runs: { from_port: 80 } },
      /for people/,
    ],
    [
      "what the policies have moved on from: that is a change nobody applied yet",
      TARGET,
      { was: { max_capacity: 120 }, runs: { max_capacity: 200 }, wanted: { max_capacity: 150 } },
      /max_capacity would not become what was applied before/,
    ],
    [
      "values that may not be shown: two of one length are not the same",
      ALARM,
      { was: { alarm_description: "aaaa" }, runs: { alarm_description: "bbbb" } },
      /alarm_description .* not shown/,
    ],
  ])("not %s", (_what, address, made, reason) => {
    const { addresses, left } = choose(planOf([drifted(address, made)]));
    expect(addresses).toEqual([]);
    expect(left[0]).toMatch(reason);
  });

  test("not a change of ours that is not applied yet, which nobody has made outside", () => {
    const ahead = madePlan([
      changeJson(TARGET, { before: { max_capacity: 1 }, after: { max_capacity: 2 } }),
    ]);
    expect(choose(ahead)).toMatchObject({ addresses: [], left: [/nobody has changed it/] });
  });

  test("not what somebody stands for, nor what somebody did until a moment ago", () => {
    expect(choose(planOf([scaled()]), { known: [known()] }).addresses).toEqual([]);
    const over = known({ expires: NOW });
    expect(choose(planOf([scaled()]), { known: [over] }).addresses).toEqual([]);
  });

  test.each<[string, Parameters<typeof choose>[1], readonly DriftReport[], RegExp]>([
    ["nobody was asked", { wasAsked: false }, [], /no runtime was asked/],
    ["somebody did not answer", { unasked: ["x: 500"] }, [], /not known who stands for it/],
    ["a stack was not looked at", {}, [{ state: "failed", why: "x" }], /not every stack/],
  ])("nothing at all when %s", (_what, more, others, reason) => {
    expect(choose(planOf([scaled()]), more, others)).toMatchObject({
      ...{ addresses: [], left: [reason] },
    });
  });

  test("nothing where the stack differs by more than a budget: that was no hand", () => {
    const many = Array.from({ length: 30 }, (_, at) => scaled(`${TARGET}-${at}`));
    const { addresses, left } = choose(planOf(many), { most: 100 });
    expect(addresses).toEqual([]);
    expect(new Set(left)).toEqual(new Set(["the budgets stop what this stack differs by"]));
  });

  test("at most so many, and says so of the others", () => {
    const three = ["a", "b", "c"].map((name) => scaled(`${TARGET}-${name}`));
    const { addresses, left } = choose(planOf(three), { most: 2 });
    expect(addresses).toEqual([`${TARGET}-a`, `${TARGET}-b`]);
    expect(left).toEqual([null, null, expect.stringContaining("as many as it may")]);
    expect(choose(planOf(three), { most: 0 }).addresses).toEqual([]);
  });
});

describe("the plan that puts it back", () => {
  const ground = { environment: "production", review: review(), known: [], now: NOW };
  const rules = (plan: PlanDocument, more: object = {}) => {
    const { state, findings } = judgeHeal(plan, { ...ground, ...more });
    return { state, rules: findings.map(({ rule }) => rule) };
  };
  const part = { complete: false };

  test("is applied although it is a part of the stack", () => {
    expect(rules(planOf([scaled()], part))).toEqual({ state: "ok", rules: [] });
  });

  test("is stopped by one change that is no way back", () => {
    const other = drifted("aws_security_group.api", { was: { a: 1 }, runs: { a: 2 } });
    expect(rules(planOf([scaled(), other], part))).toEqual({
      ...{ state: "stop", rules: ["heal-way-back"] },
    });
  });

  test("is stopped by what the policy does not let be put back", () => {
    const other = drifted("aws_lb.front", { was: { a: 1 }, runs: { a: 2 } });
    expect(rules(planOf([other], part))).toEqual({ state: "stop", rules: ["heal-class"] });
  });

  test("is stopped when somebody has come to stand for it since", () => {
    expect(rules(planOf([scaled()], part), { known: [known()] })).toEqual({
      ...{ state: "stop", rules: ["heal-known"] },
    });
  });

  test("is stopped when it does more than a look may, when outputs change, and when it has failed", () => {
    const two = planOf([scaled("aws_appautoscaling_target.a"), scaled()], part);
    expect(rules(two, { review: review(1) }).rules).toEqual(["heal-most"]);
    const output = { output_changes: { a: { actions: ["update"], before: 1, after: 2 } } };
    expect(rules(planOf([scaled()], { ...part, ...output })).rules).toEqual(["heal-outputs"]);
    expect(rules(planOf([scaled()], { errored: true })).rules).toEqual(["heal-failed"]);
  });
});

describe("the file of what is put back", () => {
  test("is read as it was written", () => {
    const wishes = [{ stack: "services", addresses: [TARGET] }];
    expect(readHeals(JSON.parse(JSON.stringify(wishes)))).toEqual(wishes);
    expect(readHeals([])).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["nothing", null],
    ["an object", { stack: "services" }],
    ["a stack that leads elsewhere", [{ stack: "../x", addresses: [TARGET] }]],
    ["a stack twice", [1, 2].map(() => ({ stack: "data", addresses: [TARGET] }))],
    ["no address", [{ stack: "data", addresses: [] }]],
    ["a flag instead of an address", [{ stack: "data", addresses: ["-destroy"] }]],
    ["a list of null", [null]],
  ])("is none of ours when it is %s", (_what, json) => {
    expect(readHeals(json)).toBeNull();
  });
});
