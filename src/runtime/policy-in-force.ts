/** The newest row of control.policy_revision, as a process works with it. */
import type { JsonObject } from "../base/json.js";
import type { PolicySet } from "../policy/policy.js";

export interface PolicyInForce {
  readonly set: PolicySet;
  /** Of the set, as the row of control.policy_revision says it. */
  readonly digest: string;
  /** Of control.policy_revision. */
  readonly revision: number;
  readonly commit: string | null;
  /** Signed revision of the bundle that it came in; null: read from files. */
  readonly bundleRevision: number | null;
  /** As people wrote it; null: it was made by a program (a game day, an older version). */
  readonly sections: JsonObject | null;
}
