/** One attempt at a job in words: when and how it went, how far it came, what it logged, why it failed. */
import { formatDuration } from "../base/duration.js";
import type { Attempt } from "../store/job-attempts.js";

const BAR_CELLS = 20;
/** Under the text of a fact, such as `  error     `. */
const INDENT = " ".repeat(12);

export function describeAttempt(attempt: Attempt): string[] {
  const { progress, note, lines, linesLeftOut, error } = attempt;
  return [
    headLine(attempt),
    ...(progress === null ? [] : [fact("progress", progressText(progress, note))]),
    ...lines.map(({ at, level, message }) =>
      fact(timeOfDay(at), `${level.padEnd(5)}  ${indented(message)}`),
    ),
    ...(linesLeftOut === 0 ? [] : [fact("", `… ${linesLeftOut} more lines were left out`)]),
    ...(error === null ? [] : [fact("error", indented(`${error.code}: ${error.message}`))]),
    ...(error?.trace ? [fact("trace", indented(error.trace))] : []),
  ];
}

function headLine({ attempt, outcome, startedAt, endedAt, workerId }: Attempt): string {
  const day =
    startedAt === null
      ? []
      : [`${startedAt.toISOString().slice(0, 10)} ${timeOfDay(startedAt)} UTC`];
  const tookMs = startedAt && endedAt ? endedAt.getTime() - startedAt.getTime() : null;
  const parts = [
    ...day,
    ...(tookMs === null ? [] : [formatDuration(tookMs)]),
    ...(workerId === "" ? [] : [`on ${workerId}`]),
  ];
  const how = outcome === "unknown" ? "ended without a word" : outcome;
  return `attempt ${attempt}  ${how}  ${parts.join(", ")}`.trimEnd();
}

function progressText(progress: number, note: string | null): string {
  const full = Math.floor(progress * BAR_CELLS);
  const bar = "█".repeat(full) + "░".repeat(BAR_CELLS - full);
  // Never 100 % before it is done.
  const percent = `${progress === 1 ? 100 : Math.min(99, Math.round(progress * 100))} %`;
  return [bar, percent.padStart(5), note ?? ""].join("  ").trimEnd();
}

function fact(name: string, text: string): string {
  return `  ${name.padEnd(8)}  ${text}`;
}

function indented(text: string): string {
  return text.replaceAll("\n", `\n${INDENT}`);
}

/** `03:04:05`, in UTC like every time that we print. */
function timeOfDay(at: Date): string {
  return at.toISOString().slice(11, 19);
}
