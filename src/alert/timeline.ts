/** What happened during an incident, from everywhere, in one order: for the people in it and for the review after it. */
import { DAY_MS } from "../base/duration.js";
import { escapeMarkdown } from "../message/markdown.js";
import { oneLine } from "../message/plain.js";
import { durationOf, type Incident } from "./incident.js";

export const TIMELINE_SOURCES = ["incident", "alert", "page", "run", "policy", "note"] as const;
export type TimelineSource = (typeof TIMELINE_SOURCES)[number];

export interface TimelineEntry {
  readonly at: Date;
  readonly source: TimelineSource;
  /** One line, redacted already. */
  readonly text: string;
  /** Null: nobody in particular. */
  readonly by: string | null;
}

/** A page that people read: what goes beyond is counted. */
const LINES_MAX = 500;
const TEXT_MAX = 300;

/** Oldest first; what came at one moment stays in the order in which it was given. */
export function mergeTimeline(...parts: readonly (readonly TimelineEntry[])[]): TimelineEntry[] {
  return parts.flat().sort((a, b) => a.at.getTime() - b.at.getTime());
}

/** Markdown that nobody's words can break out of. */
export function timelineMarkdown(incident: Incident, entries: readonly TimelineEntry[]): string {
  const shown = entries.slice(0, LINES_MAX);
  const left = entries.length - shown.length;
  const lasted = durationOf(incident);
  return [
    `# ${incident.number}: ${line(incident.title)}`,
    "",
    `${incident.severity}, ${incident.status}, since ${minute(incident.startedAt)} UTC${lasted === null ? "" : `, lasted ${lasted}`}`,
    "",
    ...byDay(shown, incident.startedAt),
    ...(left > 0 ? ["", `… and ${left} more`] : []),
    "",
  ].join("\n");
}

/** The day is said once, and again where another begins. */
function byDay(entries: readonly TimelineEntry[], from: Date): string[] {
  let day = "";
  return entries.flatMap((entry) => {
    const today = entry.at.toISOString().slice(0, 10);
    const heading = today === day ? [] : ["", `## ${today}`, ""];
    day = today;
    return [...heading, `- ${clock(entry, from)} **${entry.source}** ${words(entry)}`];
  });
}

function clock({ at }: TimelineEntry, from: Date): string {
  const time = at.toISOString().slice(11, 19);
  const minutes = Math.floor((at.getTime() - from.getTime()) / 60_000);
  const isNear = Math.abs(at.getTime() - from.getTime()) < DAY_MS;
  return isNear ? `${time} (${minutes < 0 ? "" : "+"}${minutes} min)` : time;
}

function words({ text, by }: TimelineEntry): string {
  return `${line(text)}${by === null ? "" : `, by ${line(by)}`}`;
}

function line(text: string): string {
  const short = oneLine(text);
  return escapeMarkdown(short.length > TEXT_MAX ? `${short.slice(0, TEXT_MAX)}…` : short);
}

function minute(at: Date): string {
  return at.toISOString().slice(0, 16).replace("T", " ");
}
