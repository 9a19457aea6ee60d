/**
 * Problems as GitHub shows them in a pull request, beside the line
 * (docs.github.com, "Workflow commands for GitHub Actions").
 */
import type { Problem } from "./problem.js";

/** Of one step GitHub shows ten of a kind, and drops the others without a word. */
const ANNOTATIONS_MAX = 10;

/** Those that make a whole file useless first; what is left out is counted, and stands in the log. */
export function annotationsOf(problems: readonly Problem[], title: string): string[] {
  const ordered = [...problems].sort((a, b) => Number(a.line > 0) - Number(b.line > 0));
  const lines = ordered.slice(0, ANNOTATIONS_MAX).map((problem) => errorLine(problem, title));
  const more = problems.length - lines.length;
  if (more <= 0) return lines;
  const sentence = `${more} more ${more === 1 ? "problem is" : "problems are"} in the log`;
  return [...lines, `::notice title=${escapeProperty(title)}::${sentence}`];
}

function errorLine({ file, line, column, message, hint }: Problem, title: string): string {
  // A problem of the whole file has no line, and GitHub shows it at the top.
  const place = line > 0 ? `,line=${line},col=${column}` : "";
  const text = hint === undefined ? message : `${message} (${hint})`;
  return `::error file=${escapeProperty(file)}${place},title=${escapeProperty(title)}::${escapeData(text)}`;
}

/** Text of a branch must not end the command and begin another. */
function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
