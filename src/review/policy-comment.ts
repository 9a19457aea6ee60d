/** What a pull request changes in the policies, as the comment that reviewers read: worst first, environment by environment. */
import type { Problem } from "../base/problem.js";
import type { ChangeGroup } from "../policy/by-environment.js";
import { type Change, RISKS, type Risk } from "../policy/change.js";
import { worstRisk } from "../policy/risk.js";
import { boundMarkdown, type MarkdownSection } from "./bound-markdown.js";
import { plainText } from "./safe-markdown.js";

/** What it was compared with, for the footer: `origin/main at 1f2e3d4c5b6a`. */
export interface ComparedWith {
  readonly base: string;
  /** Sentences such as "the environment eu is new". */
  readonly notes: readonly string[];
}

const MARKS: Readonly<Record<Risk, string>> = {
  irreversible: "🚨",
  looser: "⚠️",
  stricter: "🔒",
  new: "➕",
  gone: "➖",
  neutral: "·",
};

/** Nobody reads more of them; the log of the job has all. */
const PROBLEMS_MAX = 50;
/** Of one group: so the groups behind it have room, too. */
const CHANGES_MAX = 100;

/** At most 60,000 characters, cut between environments; safe against mentions and mark-up in names and texts. */
export function writePolicyComment(groups: readonly ChangeGroup[], compared: ComparedWith): string {
  const changes = groups.flatMap((group) => group.changes);
  const head: MarkdownSection = {
    title: "",
    lines: [`### ${headline(changes)}`, "", ...warning(worstRisk(changes)), ...notes(compared)],
  };
  const sections = groups.map(({ title, changes }) => ({
    title,
    lines: [`#### ${plainText(title)}`, "", ...table(changes), ""],
  }));
  return `${boundMarkdown([head, ...sections])}\n`;
}

/** When one of the two sides has problems, there is nothing to compare. */
export function writeProblemComment(problems: readonly Problem[]): string {
  const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
  const lines = problems.slice(0, PROBLEMS_MAX).map(({ file, line, column, message, hint }) => {
    const place = plainText(`${file}:${line}:${column}`);
    return `- **${place}** ${plainText(message)}${hint ? ` (${plainText(hint)})` : ""}`;
  });
  const more = problems.length - lines.length;
  const rest = more > 0 ? [`- … and ${more} more`] : [];
  const head = `### 🚨 The policies have ${count}: nothing can be compared`;
  return `${boundMarkdown([{ title: "", lines: [head, "", ...lines, ...rest] }])}\n`;
}

/** `1 irreversible, 2 looser changes of the policies`. */
function headline(changes: readonly Change[]): string {
  const worst = worstRisk(changes);
  if (worst === null) return "✅ Nothing changes what the policies mean";
  const counts = RISKS.flatMap((risk) => {
    const count = changes.filter((change) => change.risk === risk).length;
    return count === 0 ? [] : [`${count} ${risk}`];
  });
  return `${MARKS[worst]} Policy changes: ${counts.join(", ")}`;
}

function warning(worst: Risk | null): string[] {
  if (worst !== "irreversible") return [];
  return [
    "**What is irreversible does not come back by a revert.** Let a second person look at it.",
    "",
  ];
}

function notes({ base, notes }: ComparedWith): string[] {
  const lines = [`Compared with ${plainText(base)}.`, ...notes.map(plainText)];
  return [`<sub>${lines.join(" ")}</sub>`, ""];
}

function table(changes: readonly Change[]): string[] {
  const rows = changes
    .slice(0, CHANGES_MAX)
    .map(
      ({ risk, subject, words }) =>
        `| ${MARKS[risk]} ${risk} | ${plainText(subject)} | ${plainText(words)} |`,
    );
  const more = changes.length - rows.length;
  return [
    "| risk | what | change |",
    "|---|---|---|",
    ...rows,
    ...(more > 0 ? [`| | | and ${more} more: \`algobrain policy diff\` says them all |`] : []),
  ];
}
