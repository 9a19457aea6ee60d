/** What whoever opens incidents is told. */
import type { Severity } from "../../policy/policy.js";

/** Something that a receiver hears of for the first time, or as worse than before. */
export interface PageNews {
  readonly system: string;
  readonly rule: string;
  /** `<rule>/<labels>`: with the system before it the key under which it is known abroad. */
  readonly groupKey: string;
  readonly severity: Severity;
  readonly title: string;
  /** When the oldest of its alerts began to fire. */
  readonly startedAt: Date;
  readonly noticeId: number;
}
