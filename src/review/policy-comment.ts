/** What a pull request changes in the policies, as the comment that reviewers read: worst first, environment by environment. */
import type { Problem } from "../base/problem.js";
import type { ChangeGroup } from "../policy/by-environment.js";
import { type Change, RISKS, type Risk } from "../policy/change.js";
import { worstRisk } from "../policy/risk.js";
import { boundMarkdown, type MarkdownSection } from "./bound-markdown.js";
import type { HeldValue, InForce } from "./drift-report.js";
import type { ImpactReport } from "./impact.js";
import { impactSection } from "./impact-markdown.js";
import { plainLine, plainText } from "./safe-markdown.js";

/** What it was compared with, for the footer: `origin/main at 1f2e3d4c5b6a`. */
export interface ComparedWith {
  readonly base: string;
  /** Sentences such as "the environment eu is new". */
  readonly notes: readonly string[];
  /** Null: no runtime was asked. */
  readonly inForce: InForce | null;
  /** What changed alerts would have done. Null: nobody has looked. */
  readonly impact: ImpactReport | null;
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
/** So the changes keep their room in the comment whatever a runtime answers. */
const HELD_MAX = 20;
/** UTF-16 units of one text in it. */
const HELD_TEXT_MAX = 200;

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
  const impact = compared.impact && impactSection(compared.impact);
  const asked = [...(impact ? [impact] : []), ...inForceSection(compared.inForce)];
  return `${boundMarkdown([head, ...asked, ...sections])}\n`;
}

/** When one of the two sides has problems, there is nothing to compare. */
export function writeProblemComment(problems: readonly Problem[], inForce: InForce | null): string {
  const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
  const lines = problems.slice(0, PROBLEMS_MAX).map(({ file, line, column, message, hint }) => {
    const place = plainText(`${file}:${line}:${column}`);
    return `- **${place}** ${plainText(message)}${hint ? ` (${plainText(hint)})` : ""}`;
  });
  const more = problems.length - lines.length;
  const rest = more > 0 ? [`- … and ${more} more`] : [];
  const head = `### 🚨 The policies have ${count}: nothing can be compared`;
  const problemSection = { title: "", lines: [head, "", ...lines, ...rest, ""] };
  return `${boundMarkdown([problemSection, ...inForceSection(inForce)]).trimEnd()}\n`;
}

const IN_FORCE = "In force now, against the policies";

/** The same for terminals and logs. */
export function inForceLines(inForce: InForce | null): string[] {
  if (inForce === null) return [];
  const title = `${IN_FORCE} (${inForce.address}):`;
  if ("unknown" in inForce) return [title, `  ${plainLine(couldNotAsk(inForce))}`];
  if (inForce.held.length === 0) return [title, "  nothing"];
  const lines = inForce.held.map((one) => `  ${heldCells(one).map(plainLine).join("  ")}`);
  return [title, ...lines];
}

function inForceSection(inForce: InForce | null): MarkdownSection[] {
  if (inForce === null) return [];
  const lines = [`#### ${IN_FORCE}`, "", ...inForceTable(inForce), ""];
  return [{ title: IN_FORCE, lines }];
}

function inForceTable(inForce: InForce): string[] {
  if ("unknown" in inForce) return [plainText(couldNotAsk(inForce))];
  const { address, held } = inForce;
  if (held.length === 0) return [`${plainText(address)}: nothing`];
  const rows = held.slice(0, HELD_MAX).map((one) => {
    const cells = heldCells(one).map((text) => plainText(shortened(text)));
    return `| ${cells.join(" | ")} |`;
  });
  const more = held.length - rows.length;
  return [
    `${plainText(address)}: a merge does not change what is set there.`,
    "",
    "| what | in force | owner | reason | expires |",
    "|---|---|---|---|---|",
    ...rows,
    ...(more > 0 ? [`| and ${more} more | | | | |`] : []),
  ];
}

/** Path, value in force, owner, reason, end. */
function heldCells({ path, value, policyValue, override, unusable }: HeldValue): string[] {
  const holds = unusable === null ? value : `not ${value}, since ${unusable}`;
  const by = override ?? { owner: "–", reason: "a set variable", expires: "–" };
  return [path, `${holds} (the policy: ${policyValue})`, by.owner, by.reason, by.expires];
}

function couldNotAsk({ address, unknown }: Extract<InForce, { unknown: string }>): string {
  return `The runtime at ${address} could not be asked: ${unknown}`;
}

function shortened(text: string): string {
  return text.length > HELD_TEXT_MAX ? `${text.slice(0, HELD_TEXT_MAX)}…` : text;
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
