/** What people are told about a run: the one living message with its buttons, and the notes on an incident. */
import type {
  Message,
  MessageAction,
  MessageField,
  MessageTable,
  MessageTone,
} from "../message/message.js";
import type { Role } from "../policy/policy.js";
import type { Runbook } from "./define.js";
import { isFinal, type Run, type RunEnding, type RunStatus, type StepRecord } from "./run.js";

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
const VALUE_MAX = 120;
/** Of the output, as evidence in a note. */
const EVIDENCE_LINES = 10;

/** Who is asked to agree to a run, and who has. */
export interface ApprovalAsked {
  readonly needed: number;
  readonly role: Role;
  readonly team: string | null;
  /** The one who may not. */
  readonly requester: string;
  /** Those who may, but not without somebody else: they wrote it. */
  readonly authors: readonly string[];
  /** Why somebody else may have written it too; null: all who did are known, or nobody asks. */
  readonly authorUnknown: string | null;
  readonly expiresAt: Date;
  readonly nonce: string;
  /** Names of those who have. */
  readonly agreed: readonly string[];
}

/** `rerun-job job=job-7`, as it could be typed again. */
export function describeCall(run: Pick<Run, "runbook" | "params">): string {
  const params = Object.entries(run.params).map(([name, value]) => {
    const text = shorten(typeof value === "string" ? value : JSON.stringify(value));
    return `${name}=${/\s/.test(text) ? `"${text}"` : text}`;
  });
  return [run.runbook, ...params].join(" ");
}

function shorten(text: string): string {
  return text.length <= VALUE_MAX ? text : `${text.slice(0, VALUE_MAX)}…`;
}

/**
 * What a button of this run carries besides the run's id, so that a message of before a restore of the
 * database does not move another run with the same number. A lookup key: it gives nobody any right.
 */
export function runNonce(run: Pick<Run, "requestedAt">): string {
  return run.requestedAt.getTime().toString(36);
}

/** While it waits its turn or runs. `lines` are the newest words of progress. */
export function progressMessage(run: Run, lines: readonly string[]): Message {
  return {
    tone: TONES[run.status],
    title: `${run.id} ${run.status}: ${describeCall(run)}`,
    ...(lines.length > 0 ? { code: cut(lines.join("\n")) } : {}),
    actions: [button(run, "cancel", "Cancel", runNonce(run))],
    footer: footerOf(run),
  };
}

/** While it waits for people. */
export function waitingMessage(run: Run, asked: ApprovalAsked, runbook: Runbook | null): Message {
  const changes = run.plan?.changes ?? [];
  return {
    tone: "warning",
    title: `${run.id} waits for approval: ${describeCall(run)}`,
    text: cut(run.plan?.text ?? "It has no plan."),
    ...(changes.length > 0 ? { code: cut(changes.map((line) => `will ${line}`).join("\n")) } : {}),
    fields: [
      { label: "Needs", value: whoIsNeeded(asked) },
      {
        label: "Until",
        value: `${asked.expiresAt.toISOString().slice(0, 16)} UTC, then it is refused`,
      },
      { label: "Agreed so far", value: asked.agreed.join(", ") || "nobody" },
      ...authorFields(asked),
      ...undoFields(runbook),
    ],
    actions: [
      { ...button(run, "approve", "Approve", asked.nonce), style: "primary" },
      { ...button(run, "deny", "Deny", asked.nonce), style: "danger" },
      button(run, "cancel", "Cancel", runNonce(run)),
    ],
    footer: `${footerOf(run)}, plan ${run.boundHash?.slice(0, 12) ?? "unknown"}`,
  };
}

/** `2 people of role admin in team db, and not ann`; `… and not bob alone, who wrote its last change`. */
export function whoIsNeeded(asked: ApprovalAsked): string {
  const people = asked.needed === 1 ? "1 person" : `${asked.needed} people`;
  const team = asked.team === null ? "" : ` in team ${asked.team}`;
  const authors =
    asked.authors.length === 0
      ? ""
      : `, and not ${asked.authors.join(" and ")} alone, who wrote its last change`;
  return `${people} of role ${asked.role}${team}, and not ${asked.requester}${authors}`;
}

/** Why one person more is asked than the rule says. */
function authorFields({ authorUnknown }: ApprovalAsked): MessageField[] {
  return authorUnknown === null
    ? []
    : [{ label: "Who wrote it", value: `is not known: ${authorUnknown}` }];
}

/** What cannot be taken back is said before anyone agrees. */
function undoFields(runbook: Runbook | null): MessageField[] {
  const fixed = (runbook?.steps ?? []).flatMap(({ name, undo }) =>
    undo === undefined
      ? [`${name}: no way back is written`]
      : "never" in undo
        ? [`${name}: ${undo.never}`]
        : [],
  );
  return runbook?.danger === "R" || fixed.length === 0
    ? []
    : [{ label: "Cannot be taken back", value: cut(fixed.join("\n")) }];
}

/** How it ended; with what to type next when it did not work out. */
export function endingMessage(run: Run, ending: RunEnding, runbook: Runbook | null): Message {
  const fields: MessageField[] = [{ label: "Outcome", value: ending.outcome }];
  const undone = ending.undone ?? run.undone;
  if (undone) fields.push({ label: "Taken back", value: UNDONE[undone] });
  const next = nextOf(run, ending, runbook);
  if (next) fields.push({ label: "Next", value: next });
  const text = ending.output?.text;
  const isUndoable = mayBeUndone(run, ending, runbook);
  return {
    tone: TONES[ending.status],
    title: `${run.id} ${ending.status}: ${describeCall(run)}`,
    ...(text && text !== ending.outcome ? { text: cut(text) } : {}),
    fields,
    ...(ending.output?.table ? { table: firstRows(ending.output.table) } : {}),
    ...(isUndoable ? { actions: [button(run, "undo", "Undo", runNonce(run))] } : {}),
    footer: footerOf(run),
  };
}

/** No message shows more; the run's row has all. */
const ROWS_MAX = 100;

function firstRows({ columns, rows }: MessageTable): MessageTable {
  return { columns, rows: rows.slice(0, ROWS_MAX) };
}

const UNDONE = {
  complete: "all that it had changed",
  failed: "not all that it had changed: look at it before anything else",
} as const;

function nextOf(run: Run, ending: RunEnding, runbook: Runbook | null): string | undefined {
  return ending.status === "succeeded" ? undefined : runbook?.next(run.params);
}

/** Whether the button is worth showing; whether it does anything is decided when it is pressed. */
function mayBeUndone(run: Run, ending: RunEnding, runbook: Runbook | null): boolean {
  if (run.dryRun || run.undoOf !== null || (ending.undone ?? run.undone)) return false;
  const hasUndo = runbook?.steps.some(({ undo }) => undo !== undefined && !("never" in undo));
  return hasUndo === true && isFinal(ending.status) && run.startedAt !== null;
}

function button(run: Run, action: string, label: string, nonce: string): MessageAction {
  return { action, label, value: `${run.id}:${nonce}` };
}

/** Asked, and not run: why, and what would do. */
export function refusalMessage(asked: string, sentence: string): Message {
  return { tone: "warning", title: `Not run: ${asked}`, text: sentence };
}

export function startNote(run: Run): string {
  return `${run.id} started by ${run.automation ?? run.actor}: ${describeCall(run)}. Nobody needs to wait for it: the outcome follows as a note.`;
}

/** A run of automation that waits for people: whoever has the incident must know it. */
export function waitingNote(run: Run, asked: ApprovalAsked): string {
  return [
    `${run.id} waits for approval: ${describeCall(run)}. Nothing is changed before that.`,
    ...(run.plan ? [`Found: ${cut(run.plan.text)}`] : []),
    `Needs ${whoIsNeeded(asked)}, until ${asked.expiresAt.toISOString().slice(0, 16)} UTC; then it is refused.`,
    `Approve or deny in Slack: /algobrain approve ${run.id}`,
  ].join("\n");
}

export interface Evidence {
  readonly steps: readonly StepRecord[];
  /** Newest last. */
  readonly lines: readonly string[];
}

export function endingNote(
  run: Run,
  ending: RunEnding,
  runbook: Runbook | null,
  { steps, lines }: Evidence = { steps: [], lines: [] },
): string {
  const next = nextOf(run, ending, runbook);
  const did = ending.output?.text;
  return [
    `${run.id} ${ending.status}: ${ending.outcome}`,
    ...(run.plan ? [`Found: ${cut(run.plan.text)}`] : []),
    ...(did && did !== ending.outcome ? [`Did: ${cut(did)}`] : []),
    ...(ending.status === "succeeded" ? [] : handOver(run, ending, steps)),
    ...(lines.length > 0 ? [`Last output:\n${cut(lines.slice(-EVIDENCE_LINES).join("\n"))}`] : []),
    ...(next ? [`Next: ${next}`] : []),
    "The alert itself is resolved by its samples alone.",
  ].join("\n");
}

/** For the person who takes over: what was tried, what state it left, what is held. */
function handOver(run: Run, ending: RunEnding, steps: readonly StepRecord[]): string[] {
  const tried = steps.filter(({ phase }) => phase === "act" || phase === "undo");
  const undone = ending.undone ?? run.undone;
  const left =
    tried.length === 0
      ? "nothing was changed"
      : undone
        ? `taken back: ${UNDONE[undone]}`
        : "what the finished steps changed stands";
  return [
    "Automation gives up here: a person is needed.",
    ...(tried.length > 0
      ? [`Tried: ${tried.map(({ name, status }) => `${name} (${status})`).join(", ")}`]
      : []),
    `State: ${left}. ${run.targets.length > 0 ? `Free for others again: ${run.targets.join(", ")}.` : ""}`.trim(),
  ];
}

function footerOf(run: Run): string {
  const why = run.reason ? `, because: ${shorten(run.reason)}` : "";
  return `${run.id} asked by ${run.actor} through ${run.door}${why}${run.dryRun ? ", dry run" : ""}${run.isDrill ? ", drill" : ""}`;
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)} …`;
}
