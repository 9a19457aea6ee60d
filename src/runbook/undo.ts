/**
 * Taking back what a run did: its finished steps, last first, each with its own intent and result. What was
 * interrupted is not taken back, since nobody can tell what it did; where taking back fails, it stops there.
 */
import { formatDuration, MINUTE_MS } from "../base/duration.js";
import type { Json } from "../base/json.js";
import type { Answer, Plan, Undo } from "./define.js";
import { contextFor, type Execution, redactAnswer, toAnswer } from "./execution.js";
import { judgeInterrupted } from "./interrupted.js";
import { RunStopped, type StepKey, type StepRecord, type Undone } from "./run.js";
import { findEffect, record, refuseWhenStopped, unknownEffect } from "./step-record.js";

type AnyUndo = Undo<Execution["run"]["params"]>;

export interface TakenBack {
  /** Undefined: there was nothing to take back. */
  readonly undone: Undone | undefined;
  /** A sentence for people; empty when there was nothing to say. */
  readonly text: string;
}

/** However long the run may take, nobody waits longer for the way back. */
const UNDO_MS_MAX = 10 * MINUTE_MS;

interface Pending {
  readonly key: StepKey;
  readonly undo: AnyUndo;
  readonly done: Json | undefined;
}

/**
 * `source`: the steps that acted, of this run or of the one that it takes back. Throws a `RunStopped` when the
 * stop switch ends it, and anything else when we have to let go of the run.
 */
export async function takeBack(
  execution: Execution,
  plan: Plan,
  source: readonly StepRecord[],
): Promise<TakenBack> {
  const acted = actedIn(execution, source);
  const { pending, stays } = sortOut(execution, acted);
  const answers = acted.map(({ name, result }) => ({ name, answer: toAnswer(result) }));
  const own = await execution.recorder.steps();
  const limit = limitAll(execution);
  const taking = { ...execution, signal: limit.signal, answers };
  try {
    for (const one of pending) await takeBackOne(taking, plan, one, own);
    return conclude(pending, stays, null);
  } catch (thrown) {
    if (!(thrown instanceof RunStopped) || thrown.status !== "failed") throw thrown;
    return conclude(pending, stays, thrown.message);
  } finally {
    limit.clear();
  }
}

/** What it would take back, for plans; in the order in which it would. */
export function listUndos(
  execution: Pick<Execution, "runbook" | "original">,
  source: readonly StepRecord[],
) {
  const { pending, stays } = sortOut(execution, actedIn(execution, source));
  return { changes: pending.map(({ undo }) => undo.name), stays };
}

/** Finished steps; of another run without those that it took back itself. */
function actedIn(
  { original }: Pick<Execution, "original">,
  source: readonly StepRecord[],
): StepRecord[] {
  const undone = source
    .filter(({ phase, status }) => phase === "undo" && status === "succeeded")
    .map(({ undoes }) => undoes);
  return source.filter(
    ({ phase, status, ordinal }) =>
      phase === "act" && status === "succeeded" && (original === null || !undone.includes(ordinal)),
  );
}

function sortOut({ runbook }: Pick<Execution, "runbook">, acted: readonly StepRecord[]) {
  const pending: Pending[] = [];
  const stays: string[] = [];
  for (const { ordinal, name, result } of acted.toReversed()) {
    const undo = runbook.steps[ordinal]?.undo;
    if (undo === undefined) continue;
    if ("never" in undo) {
      stays.push(`"${name}" stays: ${undo.never}`);
      continue;
    }
    // The same for whoever goes on after a crash.
    const at = runbook.steps.length - 1 - ordinal;
    const key: StepKey = { phase: "undo", ordinal: at, name: undo.name, undoes: ordinal };
    pending.push({ key, undo, done: toAnswer(result).value });
  }
  return { pending, stays };
}

function limitAll(execution: Execution) {
  const over = new AbortController();
  const done = new AbortController();
  const limitMs = Math.min(execution.runbook.timeoutMs, UNDO_MS_MAX);
  const outcome = `it was not done within ${formatDuration(limitMs)}`;
  void execution.sleep(limitMs, done.signal).then(() => {
    if (!done.signal.aborted) over.abort(new RunStopped("failed", outcome));
  });
  return {
    // A cancellation is the reason of taking back, unless that is all that the run does.
    signal: AbortSignal.any([execution.original ? execution.signal : execution.letGo, over.signal]),
    clear: () => done.abort(),
  };
}

async function takeBackOne(
  execution: Execution,
  plan: Plan,
  { key, undo, done }: Pending,
  own: readonly StepRecord[],
): Promise<void> {
  const earlier = own.find(({ phase, ordinal }) => phase === "undo" && ordinal === key.ordinal);
  if (earlier?.status === "succeeded") return;
  if (earlier && earlier.status !== "running")
    throw new RunStopped("failed", `"${key.name}" had ${earlier.status}: ${earlier.error ?? ""}`);
  if (earlier) {
    const effect = await judgeInterrupted(execution, key, plan, undo.repeat, earlier);
    if (effect === "done") return;
    if (effect === "unknown") throw new RunStopped("failed", unknownEffect(key.name));
  }
  await refuseWhenStopped(execution);
  await record<Answer>(execution, key, {
    run: async (transcript, limited) => {
      const context = { ...contextFor(limited, key, plan, transcript), done };
      const said = await undo.run(context);
      const answer = redactAnswer(limited, typeof said === "string" ? { text: said } : said);
      return { value: answer, answer };
    },
    effect: (transcript) => findEffect(execution, key, plan, undo.repeat, transcript),
  });
}

function conclude(
  pending: readonly Pending[],
  stays: readonly string[],
  failure: string | null,
): TakenBack {
  if (failure !== null)
    return { undone: "failed", text: `TAKING IT BACK FAILED, look now: ${failure}` };
  const names = pending.map(({ undo }) => undo.name).join(", ");
  const taken = names === "" ? [] : [`taken back: ${names}`];
  return {
    undone: pending.length === 0 ? undefined : "complete",
    text: [...taken, ...stays].join("; "),
  };
}
