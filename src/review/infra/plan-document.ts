/** A saved plan of Terraform as reviewers and guards see it: what changes, with values only where they may be shown. */

/** What Terraform does to one resource; replacing is two of them, in either order. */
export const ACTIONS = ["no-op", "create", "read", "update", "delete", "forget"] as const;
export type Action = (typeof ACTIONS)[number];

/** A value of an attribute, denied by default: only what is on a list of safe ones has a text. */
export type Shown =
  | { readonly kind: "value"; readonly text: string }
  /** `length` in UTF-16 units of the text, or of its JSON. */
  | { readonly kind: "hidden"; readonly length: number }
  /** Known only after the apply. */
  | { readonly kind: "unknown" }
  | { readonly kind: "absent" };

/** One attribute that differs. */
export interface Leaf {
  /** `target_tracking_scaling_policy_configuration[0].target_value` */
  readonly path: string;
  readonly before: Shown;
  readonly after: Shown;
}

export interface PlannedChange {
  /** `aws_ecs_service.api-service` */
  readonly address: string;
  readonly type: string;
  readonly name: string;
  readonly stack: string;
  readonly actions: readonly Action[];
  /** Attributes that cannot be changed in place. */
  readonly replacePaths: readonly string[];
  readonly importing: boolean;
  /** Terraform's own word for why, e.g. `replace_because_tainted`; null: none, or one that we do not know. */
  readonly reason: string | null;
  /** None for what is deleted, read or left alone. */
  readonly leaves: readonly Leaf[];
}

export interface PlanDocument {
  /** Of the JSON, `1.2`. */
  readonly formatVersion: string;
  readonly terraformVersion: string;
  /** Also what stays as it is: its count is what budgets are shares of. */
  readonly changes: readonly PlannedChange[];
  /** What was found changed outside of Terraform. */
  readonly drift: readonly PlannedChange[];
  readonly outputsChanged: readonly string[];
  /** The commit whose images it was planned with; null: no image is said in this stack. */
  readonly imageTag: string | null;
  /** Planning has failed on the way: what stands here is not all. */
  readonly errored: boolean;
  /** False: applying it does not reach what is configured, e.g. with `-target`. */
  readonly complete: boolean;
}

export function isReplaced({ actions }: Pick<PlannedChange, "actions">): boolean {
  return actions.includes("delete") && actions.includes("create");
}

/** Nothing of it is written: left alone, read, or only imported. */
export function isQuiet({ actions }: Pick<PlannedChange, "actions">): boolean {
  return actions.every((action) => action === "no-op" || action === "read");
}

/** Resources that are there before this plan. */
export function existingOf({ changes }: Pick<PlanDocument, "changes">): number {
  return changes.filter(
    ({ actions }) => !actions.every((one) => one === "create" || one === "read"),
  ).length;
}
