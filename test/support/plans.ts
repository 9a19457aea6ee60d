/** Plans for tests: those that the real Terraform has written, and small ones made by hand. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Json, JsonObject } from "../../src/base/json.js";
import type { PlanDocument } from "../../src/review/infra/plan-document.js";
import { readPlan } from "../../src/review/infra/read-plan.js";

export const PLAN_NAMES = [
  "bucket-replaced",
  "created",
  "deleted",
  "drifted",
  "nothing",
  "one-number",
  "output",
  "power",
  "retention-shorter",
  "task-replaced",
] as const;
export type PlanName = (typeof PLAN_NAMES)[number];

export function planFile(name: PlanName): string {
  return fileURLToPath(new URL(`../fixture/plans/${name}.generated.json`, import.meta.url));
}

/** As `terraform show -json` of 1.11 wrote it. */
export function planJson(name: PlanName): JsonObject {
  return JSON.parse(readFileSync(planFile(name), "utf8"));
}

export function plan(name: PlanName): PlanDocument {
  return sound(planJson(name));
}

export function sound(json: unknown, stack = "services"): PlanDocument {
  const read = readPlan(json, { stack, file: "plan.json" });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

interface MadeChange {
  readonly actions?: readonly string[];
  readonly before?: Json;
  readonly after?: Json;
  readonly unknown?: Json;
  readonly beforeSensitive?: Json;
  readonly afterSensitive?: Json;
  readonly replacePaths?: Json;
}

/** One entry of `resource_changes`. */
export function changeJson(address: string, made: MadeChange = {}): JsonObject {
  const [type = "", name = ""] = address.split(".");
  const { actions = ["update"], before = {}, after = {}, unknown = {} } = made;
  return {
    ...{
      address,
      mode: "managed",
      type,
      name,
      provider_name: "registry.terraform.io/hashicorp/aws",
    },
    change: {
      ...{ actions: [...actions], before, after, after_unknown: unknown },
      before_sensitive: made.beforeSensitive ?? {},
      after_sensitive: made.afterSensitive ?? {},
      ...(made.replacePaths === undefined ? {} : { replace_paths: made.replacePaths }),
    },
  };
}

export function madePlanJson(changes: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return {
    ...{ format_version: "1.2", terraform_version: "1.11.4", resource_changes: [...changes] },
    ...{ complete: true, errored: false, ...more },
  };
}

export function madePlan(changes: readonly JsonObject[], more: JsonObject = {}): PlanDocument {
  return sound(madePlanJson(changes, more));
}

/** What stays as it is: budgets are shares of these. */
export function untouched(count: number): JsonObject[] {
  return Array.from({ length: count }, (_, index) =>
    changeJson(`aws_cloudwatch_metric_alarm.still-${index}`, { actions: ["no-op"] }),
  );
}
