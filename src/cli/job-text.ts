/** A job in words: a row of a list, and the whole of it with its history. */
import type { Job } from "../job/job.js";
import { oneLine } from "../message/plain.js";
import type { AuditEntry } from "../store/audit.js";
import type { HealingEntry } from "../store/healing.js";
import type { Attempt } from "../store/job-attempts.js";
import { describeAttempt } from "./attempt-text.js";

export const JOB_LIST_COLUMNS = ["id", "type", "status", "attempts", "created (UTC)", "error"];
const ERROR_MAX = 80;

export interface JobHistory {
  readonly healing: readonly HealingEntry[];
  readonly audit: readonly AuditEntry[];
  /** Newest first. */
  readonly attempts: readonly Attempt[];
}

export function jobRow(job: Job): string[] {
  const { id, kind, status, attempts, createdAt, error } = job;
  return [id, kind, status, String(attempts), shortTime(createdAt), cut(oneLine(error ?? ""))];
}

function cut(text: string): string {
  return text.length <= ERROR_MAX ? text : `${text.slice(0, ERROR_MAX - 1)}…`;
}

/** `2026-01-28 03:04:05`, in UTC like every time that we print. */
function shortTime(at: Date): string {
  return at.toISOString().slice(0, 19).replace("T", " ");
}

/** One fact a line, the newest history last; its attempts, the newest first; what may be done about it at the end. */
export function describeJob(job: Job, history: JobHistory): string[] {
  const { id, kind, status, payload, error, result, priority, attempts } = job;
  const facts: (readonly [string, string | null])[] = [
    ["payload", JSON.stringify(payload)],
    ["error", error],
    ["result", result === null ? null : JSON.stringify(result)],
    ["attempts", `${attempts}, priority ${priority}`],
    ["created", createdText(job)],
    ["due", status === "pending" ? utc(job.scheduledAt) : null],
    ["started", startedText(job)],
    ["ended", job.completedAt && utc(job.completedAt)],
    ...history.healing.map((entry) => ["healing", healingText(entry)] as const),
    ...history.audit.map((entry) => ["audit", auditText(entry)] as const),
  ];
  const lines = facts.flatMap(([name, text]) =>
    text === null ? [] : [`  ${name.padEnd(8)}  ${text.replaceAll("\n", `\n${" ".repeat(12)}`)}`],
  );
  const next = nextText(job);
  return [
    `${id}  ${kind}  ${status}`,
    ...lines,
    ...history.attempts.flatMap(describeAttempt),
    ...(next === null ? [] : [`next: ${next}`]),
  ];
}

function utc(at: Date): string {
  return `${shortTime(at)} UTC`;
}

function createdText({ createdAt, requestedBy, parentSeq }: Job): string {
  const by = requestedBy === null ? "" : ` by ${requestedBy}`;
  const parent = parentSeq === null ? "" : ` for job-${parentSeq}`;
  return utc(createdAt) + by + parent;
}

function startedText({ startedAt, workerId }: Job): string | null {
  if (startedAt === null) return null;
  return workerId === null ? utc(startedAt) : `${utc(startedAt)} on ${workerId}`;
}

function healingText(entry: HealingEntry): string {
  const { createdAt, attemptNumber, failureType, strategy, success } = entry;
  const outcome = success === null ? "outcome not known yet" : success ? "worked" : "did not work";
  return `${utc(createdAt)}  attempt ${attemptNumber} failed (${failureType}), so ${strategy}: ${outcome}`;
}

function auditText({ createdAt, action, actor, details }: AuditEntry): string {
  const { reason } = details;
  const why = typeof reason === "string" && reason !== "" ? `: ${reason}` : "";
  return `${utc(createdAt)}  ${action} by ${actor}${why}`;
}

function nextText({ id, status }: Job): string | null {
  if (status === "quarantined")
    return `correct what the error names, then: algobrain jobs retry ${id}`;
  if (status === "failed" || status === "cancelled") return `algobrain jobs retry ${id}`;
  return null;
}
