/** The record of a closed incident: the parts of the incident log (AM-inc-01), and what a review starts from. */
import { escapeMarkdown } from "../message/markdown.js";
import { durationOf, type Incident, logSeverity } from "./incident.js";
import { type TimelineEntry, timelineMarkdown } from "./timeline.js";

/** Exactly ID, severity, started, resolved, duration, symptoms, root cause, resolution, prevention. */
export function incidentLog(incident: Incident): string {
  const { number, severity, startedAt, resolvedAt, findings } = incident;
  const said = (text: string | undefined) => escapeMarkdown(text?.trim() || "not told yet");
  return [
    `# ${number}`,
    "",
    `- **ID**: ${number}`,
    `- **Severity**: ${logSeverity(severity)}`,
    `- **Started**: ${startedAt.toISOString()}`,
    `- **Resolved**: ${resolvedAt?.toISOString() ?? "not yet"}`,
    `- **Duration**: ${durationOf(incident) ?? "not over yet"}`,
    "",
    ...section("Symptoms", said(findings?.symptoms)),
    ...section("Root cause", said(findings?.rootCause)),
    ...section("Resolution", said(findings?.resolution)),
    ...section("Prevention", said(findings?.prevention)),
  ].join("\n");
}

function section(title: string, text: string): string[] {
  return [`## ${title}`, "", text, ""];
}

/** A draft for the review: the log, who did what, the questions that a review without blame asks, the timeline. */
export function postMortemDraft(incident: Incident, entries: readonly TimelineEntry[]): string {
  const { roles, acknowledgedAt, acknowledgedBy, openedAt } = incident;
  const answered =
    acknowledgedAt === null
      ? "Nobody acknowledged it."
      : `${acknowledgedBy} acknowledged it ${Math.round((acknowledgedAt.getTime() - openedAt.getTime()) / 60_000)} minutes after it was opened.`;
  const people = Object.entries(roles).map(([role, person]) => `- ${role}: ${person}`);
  return [
    incidentLog(incident),
    ...section("People", [answered, ...people].map(escapeMarkdownLine).join("\n")),
    ...section("What to ask", QUESTIONS.map((question) => `- ${question}`).join("\n")),
    // One heading lower, so that the page has one title.
    timelineMarkdown(incident, entries).replace(/^#/gm, "##"),
  ].join("\n");
}

function escapeMarkdownLine(text: string): string {
  return text.startsWith("- ") ? `- ${escapeMarkdown(text.slice(2))}` : escapeMarkdown(text);
}

const QUESTIONS = [
  "How did we learn of it, and could a rule have told us earlier?",
  "What made it as large as it was?",
  "What went well, and where were we lucky?",
  "Which runbook was missing, or did not help?",
  "What will we change, who does it, and by when?",
];
