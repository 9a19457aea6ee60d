/** How far a plan of Terraform may go before a person must say so, and what that person said. Pure types. */

/** More than these stops an apply; an exception in Git lets one through. */
export interface PlanBudgets {
  /** Resources without data that are deleted. */
  readonly deletes: number;
  /** Resources that are deleted and made anew. */
  readonly replaces: number;
  /** Changed resources, in percent of those that exist: 30. */
  readonly changesPercent: number;
  /** Deleted resources that hold data: databases, buckets, tables, secrets, log groups. */
  readonly statefulDeletes: number;
  /** By how much more of what is paid for: 100 percent is twice as much. */
  readonly capacityGrowthPercent: number;
  readonly alarmsRemoved: number;
}
export const BUDGETS = [
  "deletes",
  "replaces",
  "changesPercent",
  "statefulDeletes",
  "capacityGrowthPercent",
  "alarmsRemoved",
] as const satisfies readonly (keyof PlanBudgets)[];
export type BudgetName = (typeof BUDGETS)[number];

/** Told; people are asked for a pull request; what was applied is put back. */
export const DRIFT_MODES = ["report", "propose", "heal"] as const;
export type DriftMode = (typeof DRIFT_MODES)[number];

export interface DriftClass {
  /** Types of Terraform: `aws_ecs_service`. */
  readonly types: readonly string[];
  /** Only drift of these; absent: of any. */
  readonly attributes?: readonly string[] | undefined;
  readonly mode: DriftMode;
  readonly why: string;
}

export interface DriftAnswer {
  /** By name; drift of no class is reported. */
  readonly classes: Readonly<Record<string, DriftClass>>;
  /** Resources that one look puts back at most, of all stacks; the rest waits for the next. 0: none. */
  readonly heals: number;
  /** Pull requests for drift that are open at once. 0: none is opened. */
  readonly proposals: number;
}

/** What `infrastructure.review` says. */
export interface PlanReview {
  readonly budgets: PlanBudgets;
  readonly drift: DriftAnswer;
}

/** What a budget or a refusal lets through, for a few days, in one environment. */
export interface PlanException {
  readonly name: string;
  readonly allows: "delete" | "replace" | `budget:${BudgetName}`;
  /** One address, or all of a type: `aws_s3_bucket.exports`, `aws_s3_bucket.*`. */
  readonly address: string;
  readonly environment: string;
  /** A person or a team of access.yaml. */
  readonly owner: string;
  readonly reason: string;
  /** The last day on which it counts, `2026-12-01` (UTC). */
  readonly expires: string;
}
