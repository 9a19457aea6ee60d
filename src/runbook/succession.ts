/**
 * A run whose runbook has become another file while it ran: a deployment that brings a change of itself ends under what
 * it has brought. The successor may look, which the engine holds it to, and go the way back where that is the same code
 * as was agreed to. It never goes on acting (decision 0067).
 */
import { createHash } from "node:crypto";
import { canonicalJson, type Json } from "../base/json.js";
import { compileSchema } from "../base/schema.js";
import type { Plan, PlanMaker, Repeat, Runbook } from "./define.js";
import type { Run, StepRecord } from "./run.js";
import { describeCall } from "./telling.js";

type AnyStep = Runbook["steps"][number];

/** Of the definition that makes a plan: kept with it, so that a later one can be held against it. */
export function makerOf(runbook: Runbook): PlanMaker {
  return {
    powers: sha256(runbook.touches as unknown as Json),
    waysBack: runbook.steps.map((step) => sha256(wayBackOf(step))),
  };
}

/** The text of a function is what a digest can hold of it: as the digest of a file, it says nothing of what that imports. */
function wayBackOf({ name, undo }: AnyStep): Json {
  if (undo === undefined || "never" in undo) return { name, undo: null };
  return {
    name,
    undo: { name: undo.name, repeat: repeatOf(undo.repeat), run: String(undo.run) },
  };
}

function repeatOf(repeat: Repeat<never>): string {
  return typeof repeat === "string" ? repeat : String(repeat.check);
}

function sha256(value: Json): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** Why another definition cannot even look on: null when its steps are the same as far as the run has come. */
export function findMisfit(
  run: Run,
  runbook: Runbook,
  before: readonly StepRecord[],
): string | null {
  if (run.undoOf !== null) return "it takes back what the one before did";
  if (compileSchema(runbook.params).check(run.params).length > 0)
    return "it takes other parameters";
  if (canonicalJson(runbook.locks(run.params)) !== canonicalJson([...run.targets]))
    return "it holds other targets";
  const strange = before.find(
    ({ phase, ordinal, name }) => phase === "act" && runbook.steps[ordinal]?.name !== name,
  );
  return strange ? `its step ${strange.ordinal + 1} is no longer "${strange.name}"` : null;
}

/** Why a successor may not take back what was done; null when each way back is the one that was agreed to. */
export function whyNotBack(
  plan: Plan,
  runbook: Runbook,
  before: readonly StepRecord[],
): string | null {
  const { maker } = plan;
  if (!maker) return "its plan does not say which way back was agreed to";
  const now = makerOf(runbook);
  if (now.powers !== maker.powers) return "it may touch other things now";
  const acted = before.filter(({ phase, status }) => phase === "act" && status === "succeeded");
  const other = acted.find(({ ordinal }) => now.waysBack[ordinal] !== maker.waysBack[ordinal]);
  return other ? `the way back of "${other.name}" is another one now` : null;
}

/** What stops a successor: what was done, what is left, and which command finishes it. */
export function leftSentence(
  run: Run,
  runbook: Runbook | null,
  steps: readonly StepRecord[],
  why: string,
): string {
  const acted = steps.filter(({ phase }) => phase === "act");
  const done = acted.filter(({ status }) => status === "succeeded").map(({ name }) => name);
  const begun = acted.filter(({ status }) => status === "running").map(({ name }) => name);
  const parts = [
    `done: ${done.join(", ") || "nothing for certain"}`,
    ...(begun.length > 0 ? [`begun, look at it: ${begun.join(", ")}`] : []),
  ];
  if (runbook === null) return [why, ...parts, "what is left is not known here"].join("; ");
  const left = runbook.steps
    .map(({ name }) => name)
    .filter((name) => !done.includes(name) && !begun.includes(name));
  return [
    `${run.runbook} has changed since ${run.id} was asked for, and ${why}`,
    ...parts,
    `left: ${left.join(", ") || "to look whether it helped"}`,
    `finish it by asking again: /algobrain ${describeCall(run)}`,
  ].join("; ");
}
