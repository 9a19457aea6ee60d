/** What was judged of one plan. */

export type VerdictState = "ok" | "ask" | "stop";

export interface PlanFinding {
  /** `delete-stateful`, `budget:deletes`, `plan-errored`. */
  readonly rule: string;
  readonly text: string;
  readonly addresses: readonly string[];
  /** Who let it through. */
  readonly excepted: {
    readonly name: string;
    readonly owner: string;
    readonly expires: Date;
  } | null;
}

export interface Verdict {
  /** `ask`: a person looks first. `stop`: it is not applied until the policy or an exception says so. */
  readonly state: VerdictState;
  readonly findings: readonly PlanFinding[];
}

const WORST_FIRST: readonly VerdictState[] = ["stop", "ask", "ok"];

export function worstState(states: readonly VerdictState[]): VerdictState {
  return WORST_FIRST.find((state) => states.includes(state)) ?? "ok";
}
