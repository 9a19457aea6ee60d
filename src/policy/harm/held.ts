/** Why a policy that is valid and well signed does not come into force by itself. Pure types. */

export type HoldReason =
  | "pages-newly"
  | "sev1-silenced"
  | "sev1-looser"
  | "sev1-delayed"
  | "deletes-more-than-previewed"
  | "access-for-everybody"
  | "access-self-granted"
  | "automation-unbounded"
  | "healing-off"
  | "work-stops"
  | "schedule-too-often"
  | "storm-guards-loosened"
  | "evaluation-too-heavy";

export interface Held {
  readonly reason: HoldReason;
  /** `AR-06 queue-depth-high`, `retention of events`, `workers.index`. */
  readonly subject: string;
  /** What was, what would be, and what that means for people. */
  readonly sentence: string;
}
