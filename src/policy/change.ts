/** What differs between two policies, and what that means for the people who sleep meanwhile. Pure types. */
import type { Json } from "../base/json.js";
import type { PolicySet } from "./policy.js";

/**
 * Worst first. `irreversible`: going back does not bring back what went (rows, files, a renamed cluster). `looser`:
 * fewer or later pages, more rights. `stricter`: the contrary.
 */
export const RISKS = ["irreversible", "looser", "stricter", "new", "gone", "neutral"] as const;
export type Risk = (typeof RISKS)[number];

/** `at` leads to a value inside the set: names of keys, and of list entries that have names. */
export type Operation =
  | {
      readonly op: "set";
      readonly at: readonly string[];
      readonly before: Json;
      readonly after: Json;
    }
  | {
      readonly op: "add";
      readonly at: readonly string[];
      readonly after: Json;
      /** In a list: the entry that it is put before; null: the last, or no entry of a list. */
      readonly ahead: string | null;
    }
  | { readonly op: "remove"; readonly at: readonly string[]; readonly before: Json }
  /** `at` leads to the list; what else changes in the entry is told under its new name. */
  | {
      readonly op: "rename";
      readonly at: readonly string[];
      readonly from: string;
      readonly to: string;
    }
  /** The same entries in another order, where order means something. */
  | { readonly op: "order"; readonly at: readonly string[]; readonly names: readonly string[] };

export interface Change {
  readonly operation: Operation;
  readonly section: keyof PolicySet;
  /** `AR-06 queue-depth-high`, `events_retention_days`. */
  readonly subject: string;
  readonly risk: Risk;
  /** What a reviewer reads once: `threshold 1000 → 1200: fires later`. */
  readonly words: string;
}
