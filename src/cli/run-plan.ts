/** What a dry run shows: all that people would agree to, and what it would mean. */
import { formatDuration } from "../base/duration.js";
import { boundHash } from "../runbook/approval.js";
import { type Authorization, authorize } from "../runbook/authorize.js";
import type { Runbook } from "../runbook/define.js";
import type { Run } from "../runbook/run.js";
import type { Asker } from "./run-asker.js";

export const DANGERS: Readonly<Record<Runbook["danger"], string>> = {
  R: "only reads",
  V: "can be undone",
  D: "cannot be undone",
};

/** In the words of the API, for `--json`. */
export interface PlanDocument {
  readonly run: string;
  readonly runbook: string;
  readonly danger: Runbook["danger"];
  readonly plan: Run["plan"];
  readonly locks: readonly string[];
  readonly touches: Runbook["touches"];
  readonly undo: readonly {
    readonly step: string;
    readonly back: string | null;
    readonly why: string | null;
  }[];
  /** How a real run would be judged now, asked by the same person here. */
  readonly decision: Authorization;
  /** What approvals are bound to; null while there is no plan. */
  readonly bound_hash: string | null;
}

export function planDocument(run: Run, runbook: Runbook, { actor, access }: Asker): PlanDocument {
  const { plan, commit, contentHash, params } = run;
  const locks = runbook.locks(params);
  const parts = { commit, runbook: run.runbook, contentHash, params, targets: locks };
  return {
    ...{ run: run.id, runbook: runbook.name, danger: runbook.danger, plan, locks },
    touches: runbook.touches,
    undo: runbook.steps.map(({ name, undo }) => {
      if (undo === undefined) return { step: name, back: null, why: null };
      return "never" in undo
        ? { step: name, back: null, why: undo.never }
        : { step: name, back: undo.name, why: null };
    }),
    decision: authorize({ actor, access, runbook }),
    bound_hash: plan === null ? null : boundHash({ ...parts, plan }),
  };
}

export function describePlan(document: PlanDocument, runbook: Runbook): string[] {
  const { locks, touches, undo, decision, bound_hash: hash } = document;
  const { database, programs = [] } = touches;
  return [
    `Danger: ${DANGERS[runbook.danger]}; at most ${formatDuration(runbook.timeoutMs)}`,
    `Locks: ${locks.join(", ") || "none"}${locks.length > 0 ? ` (held by another: ${runbook.whenLocked === "wait" ? "it waits" : "it is refused"})` : ""}`,
    `May touch: ${[...database, ...programs].join(", ") || "nothing"}`,
    ...(runbook.danger === "R"
      ? []
      : [
          "Way back:",
          ...undo.map(
            ({ step, back, why }) =>
              `  ${step}: ${back ?? `none${why === null ? "" : `, ${why}`}`}`,
          ),
        ]),
    `A real run: ${describeDecision(decision)}`,
    ...(hash === null ? [] : [`Approvals are bound to: ${hash}`]),
  ];
}

function describeDecision({ decision, sentence, approval }: Authorization): string {
  if (approval === undefined || decision === "deny") return sentence;
  const { needed, role, team, withinMs } = approval;
  const people = needed === 1 ? "1 person" : `${needed} people`;
  const from = team === null ? "" : ` of team ${team}`;
  return `${people} of role ${role}${from} must agree within ${formatDuration(withinMs)}, and never who asks`;
}
