/** Whatever a plan holds as a value stays in it: neither the comment, nor the issue, nor the JSON of a verdict repeats it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isJsonObject, type Json, type JsonObject } from "../../../src/base/json.js";
import { REVIEW_DEFAULTS } from "../../../src/policy/infrastructure-defaults.js";
import { judgeDrift } from "../../../src/review/infra/drift.js";
import { writeDriftIssue } from "../../../src/review/infra/drift-issue.js";
import { judgePlan } from "../../../src/review/infra/judge-plan.js";
import { writePlanComment } from "../../../src/review/infra/plan-comment.js";
import { existingOf } from "../../../src/review/infra/plan-document.js";
import { PLAN_NAMES, planJson, sound } from "../../support/plans.js";

const NOW = new Date("2026-11-22T12:00:00Z");

/** Everything that leaves the room for one plan. */
function everythingSaid(json: unknown): string {
  const plan = sound(json);
  const at = { environment: "production", now: NOW, existing: existingOf(plan) };
  const verdict = judgePlan(plan, REVIEW_DEFAULTS.budgets, [], at);
  const report = judgeDrift(plan, [], [], NOW);
  return [
    JSON.stringify(plan),
    JSON.stringify(verdict),
    JSON.stringify(report),
    writePlanComment([{ stack: "services", plan, verdict }]),
    writeDriftIssue({
      ...{
        environment: "production",
        stacks: [{ stack: "services", report }],
        known: [],
        unasked: [],
      },
    }),
  ].join("\n");
}

/** Names of containers and of their variables are said, and are no values: a person who reviews needs them. */
const SAID = ["name"];

/** Each text of both sides of each change, also those within JSON within a text. */
function plant(value: Json, marker: string, kept: readonly string[] = []): Json {
  if (typeof value === "string") return plantText(value, marker);
  if (Array.isArray(value)) return value.map((item) => plant(item, marker, kept));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      kept.includes(key) ? item : plant(item, marker, kept),
    ]),
  );
}

function plantText(text: string, marker: string): string {
  if (!/^[[{]/.test(text)) return marker;
  return JSON.stringify(plant(JSON.parse(text), marker, SAID));
}

function planted(json: JsonObject, marker: string): JsonObject {
  const each = (list: Json | undefined) =>
    (Array.isArray(list) ? list : []).map((one) => {
      if (!isJsonObject(one) || !isJsonObject(one.change)) return one;
      const { before = null, after = null } = one.change;
      // The sides differ, or nothing would be told of either.
      const change = {
        ...one.change,
        before: plant(before, `${marker}1`),
        after: plant(after, `${marker}2`),
      };
      return { ...one, change };
    });
  const outputs = isJsonObject(json.output_changes) ? plant(json.output_changes, marker) : {};
  return {
    ...json,
    resource_changes: each(json.resource_changes),
    resource_drift: each(json.resource_drift),
    output_changes: isJsonObject(json.output_changes)
      ? Object.fromEntries(
          Object.entries(json.output_changes).map(([name, change]) => [
            name,
            isJsonObject(change) && isJsonObject(outputs) ? { ...change, after: marker } : change,
          ]),
        )
      : {},
  };
}

/** Texts that look like what leaks: keys, hashes, addresses, tags of images, markup, names of AWS. */
const marker = fc.oneof(
  fc.stringMatching(/^[a-z]{12,20}$/),
  fc.stringMatching(/^[0-9a-f]{12,39}$/),
  fc.stringMatching(/^[A-Z0-9]{20}$/),
  fc.stringMatching(/^[A-Za-z0-9+/]{20,64}={0,2}$/),
  fc.stringMatching(/^postgres:\/\/[a-z]{6}:[A-Za-z0-9]{10}@[a-z]{6}$/),
  fc.stringMatching(/^[a-z]{8,12}:[a-z]{8,12}[0-9]$/),
  fc.stringMatching(/^\d{12}\d*$/),
);

test.each(PLAN_NAMES)("of the plan %s no value is repeated", (name) => {
  const json = planJson(name);
  fc.assert(
    fc.property(marker, (secret) => {
      expect(everythingSaid(planted(json, secret)).includes(secret)).toBe(false);
    }),
    { numRuns: 12 },
  );
});

test("the proof can fail: addresses are said", () => {
  expect(everythingSaid(planJson("one-number"))).toContain("workers-scaling-target");
});

test.each([
  "password",
  "auth_token",
  "secret_string",
  "private_key",
  "tags.api-key",
  "certificate_body",
])("a number below %s is not shown either", (path) => {
  const nest = (value: Json) =>
    path.split(".").reduceRight<Json>((inner, key) => ({ [key]: inner }), value);
  const change = {
    ...{ actions: ["update"], before: nest(424_242), after: nest(535_353) },
    ...{ after_unknown: {}, before_sensitive: {}, after_sensitive: {} },
  };
  const address = { address: "aws_x.y", type: "aws_x", name: "y" };
  const said = everythingSaid({
    format_version: "1.2",
    resource_changes: [{ ...address, change }],
  });
  expect(said).not.toMatch(/424242|535353/);
});
