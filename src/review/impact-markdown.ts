/** The backtest in a pull request's comment: what changed rules would have done on the recorded samples. */
import { formatDuration } from "../base/duration.js";
import type { MarkdownSection } from "./bound-markdown.js";
import type { Firing } from "./firing.js";
import type { ImpactReport, JudgedImpact, Verdict } from "./impact.js";
import type { RuleFigures } from "./rule-figures.js";
import { plainText } from "./safe-markdown.js";

const TITLE = "What the changed alerts would have done";

const MARKS: Readonly<Record<Verdict, string>> = {
  block: "🛑",
  "cannot-tell": "🔴",
  look: "👀",
  ok: "✅",
};
const WORDS: Readonly<Record<Verdict, string>> = {
  block: "Far more pages than before",
  "cannot-tell": "Cannot tell: there are too few samples",
  look: "Somebody should look",
  ok: "The same would have been told",
};

/** Without changed rules there is nothing to say. */
export function impactSection(report: ImpactReport): MarkdownSection | null {
  if (report.rules.length === 0 && report.unknown === null) return null;
  return {
    title: TITLE,
    lines: [`#### ${MARKS[report.verdict]} ${TITLE}`, "", ...body(report), ""],
  };
}

/** For terminals and logs. */
export function impactLines(report: ImpactReport): string[] {
  const { unknown, rules } = report;
  if (unknown !== null) return [`cannot tell: ${unknown}`];
  if (rules.length === 0) return ["no alert rule has changed"];
  return rules.flatMap((rule) => [
    `${rule.verdict}  ${rule.rule} (${rule.change}): ${rule.because}`,
    ...FIGURES.map(([name, of]) => `  ${name} ${change(rule, of)}`),
    `  coverage ${percent(rule.coverage)}`,
    ...differences(rule).map((line) => `  ${line}`),
  ]);
}

function body(report: ImpactReport): string[] {
  const { environment, history, from, to, unknown, rules } = report;
  const days = formatDuration(Date.parse(to) - Date.parse(from));
  const of = `${environment}, ${days} until ${to.slice(0, 16)}Z, samples of ${history}`;
  if (unknown !== null)
    return [`**Cannot tell.** The samples could not be read: ${plainText(unknown)}`];
  return [
    `**${WORDS[report.verdict]}** (${plainText(of)}).`,
    "",
    `| | rule | ${FIGURES.map(([name]) => name).join(" | ")} | coverage | |`,
    `|---|---|${FIGURES.map(() => "---|").join("")}---|---|`,
    ...rules.map(row),
    ...rules.flatMap(details),
  ];
}

const FIGURES: readonly (readonly [string, (figures: RuleFigures) => number])[] = [
  ["firings", ({ firings }) => firings],
  ["minutes", ({ minutesFiring }) => minutesFiring],
  ["pages", ({ pages }) => pages],
  ["messages", ({ messages }) => messages],
  ["flaps", ({ flaps }) => flaps],
];

function row(rule: JudgedImpact): string {
  const name = rule.change === "changed" ? rule.rule : `${rule.rule} (${rule.change})`;
  const cells = FIGURES.map(([, of]) => change(rule, of));
  return `| ${MARKS[rule.verdict]} | ${plainText(name)} | ${cells.join(" | ")} | ${percent(rule.coverage)} | ${plainText(rule.because)} |`;
}

/** One number where it has stayed. */
function change({ before, after }: JudgedImpact, of: (figures: RuleFigures) => number): string {
  const [old, now] = [before ? of(before) : null, after ? of(after) : null];
  return old === now ? String(now) : `${old ?? "–"} → ${now ?? "–"}`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

function details(rule: JudgedImpact): string[] {
  const lines = differences(rule);
  if (lines.length === 0) return [];
  const items = lines.map((line) => `- ${plainText(line)}`);
  const summary = `<summary>${plainText(rule.rule)}: which firings</summary>`;
  return ["", "<details>", summary, "", ...items, "", "</details>"];
}

function differences(rule: JudgedImpact): string[] {
  const cut = Math.max(rule.before?.cut ?? 0, rule.after?.cut ?? 0);
  return [
    ...list("no more", rule.onlyBefore),
    ...list("new", rule.onlyAfter),
    ...(cut > 0 ? [`${cut} of them began before this time or ended after it`] : []),
  ];
}

function list(what: string, { shown, more }: JudgedImpact["onlyAfter"]): string[] {
  const lines = shown.map((firing) => `${what}: ${describe(firing)}`);
  return more > 0 ? [...lines, `${what}: and ${more} more`] : lines;
}

function describe({ instance, level, from, to }: Firing): string {
  const begin = `${new Date(from).toISOString().slice(0, 16)}Z`;
  const lasted = to === null ? "until the end" : `for ${formatDuration(to - from)}`;
  return `${level} ${instance} at ${begin} ${lasted}`;
}
