/** What people are told about a run: the one living message, the notes on an incident, the refusal. */
import type { Message, MessageField, MessageTone } from "../message/message.js";
import type { Runbook } from "./define.js";
import type { Run, RunEnding, RunStatus } from "./run.js";

const TONES: Readonly<Record<RunStatus, MessageTone>> = {
  queued: "info",
  running: "info",
  succeeded: "good",
  failed: "bad",
  stalled: "bad",
  cancelled: "warning",
};
/** Output that is longer is cut: Slack refuses messages over about 13,000 characters. */
const TEXT_MAX = 2_500;

/** `rerun-job job=job-7`, as it could be typed again. */
function describeCall(run: Pick<Run, "runbook" | "params">): string {
  const params = Object.entries(run.params).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return `${name}=${/\s/.test(text) ? `"${text}"` : text}`;
  });
  return [run.runbook, ...params].join(" ");
}

/** While it runs. `lines` are the newest words of progress. */
export function progressMessage(run: Run, lines: readonly string[]): Message {
  return {
    tone: TONES[run.status],
    title: `${run.id} ${run.status}: ${describeCall(run)}`,
    ...(lines.length > 0 ? { code: cut(lines.join("\n")) } : {}),
    footer: footerOf(run),
  };
}

/** How it ended; with what to type next when it did not work out. */
export function endingMessage(run: Run, ending: RunEnding, runbook: Runbook | null): Message {
  const next = ending.status === "succeeded" ? undefined : runbook?.next(run.params);
  const fields: MessageField[] = [{ label: "Outcome", value: ending.outcome }];
  if (next) fields.push({ label: "Next", value: next });
  const text = ending.output?.text;
  return {
    tone: TONES[ending.status],
    title: `${run.id} ${ending.status}: ${describeCall(run)}`,
    ...(text && text !== ending.outcome ? { text: cut(text) } : {}),
    fields,
    ...(ending.output?.table ? { table: ending.output.table } : {}),
    footer: footerOf(run),
  };
}

/** Asked, and not run: why, and what would do. */
export function refusalMessage(asked: string, sentence: string): Message {
  return { tone: "warning", title: `Not run: ${asked}`, text: sentence };
}

export function startNote(run: Run): string {
  return `${run.id} started by ${run.automation ?? run.actor}: ${describeCall(run)}. Nobody needs to wait for it: the outcome follows as a note.`;
}

export function endingNote(run: Run, ending: RunEnding, runbook: Runbook | null): string {
  const next = ending.status === "succeeded" ? undefined : runbook?.next(run.params);
  return [
    `${run.id} ${ending.status}: ${ending.outcome}`,
    ...(run.plan ? [`Found: ${cut(run.plan.text)}`] : []),
    ...(ending.output?.text && ending.output.text !== ending.outcome
      ? [`Did: ${cut(ending.output.text)}`]
      : []),
    ...(next ? [`Next: ${next}`] : []),
    "The alert itself is resolved by its samples alone.",
  ].join("\n");
}

function footerOf(run: Run): string {
  const why = run.reason ? `, because: ${run.reason}` : "";
  return `${run.id} asked by ${run.actor} through ${run.door}${why}${run.dryRun ? ", dry run" : ""}`;
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)} …`;
}
