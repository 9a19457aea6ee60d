/** What the files for others cannot say of our rules, for people who lean on them. */
import type { Exported, LeftOut } from "./left-out.js";

export interface Outlet extends Pick<Exported, "leftOut" | "loose"> {
  /** `Prometheus`. */
  readonly name: string;
}

const HEADING = [
  "# What other systems do not say as we mean it",
  "",
  "Made of the alert rules by `algobrain policy outlets`. Our own evaluator watches every rule; these are the",
  "second pairs of eyes, and where they see less.",
];

export function leftOutMarkdown(outlets: readonly Outlet[]): string {
  const parts = outlets.flatMap(({ name, leftOut, loose }) => [
    ...["", `## ${name}`],
    ...section("Left out", "Nothing: every level is there.", leftOut),
    ...section("There, and otherwise than here", "Nothing.", loose),
  ]);
  return `${[...HEADING, ...parts].join("\n")}\n`;
}

/** One line a reason, with all levels that it holds for: most reasons hold for many. */
function section(title: string, none: string, notes: readonly LeftOut[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { rule, level, reason } of notes)
    byReason.set(reason, [...(byReason.get(reason) ?? []), `${level} (${rule})`]);
  const lines = [...byReason].map(([reason, levels]) => `- ${reason}: ${levels.join(", ")}`);
  return ["", `### ${title}`, "", ...(lines.length === 0 ? [none] : lines)];
}
