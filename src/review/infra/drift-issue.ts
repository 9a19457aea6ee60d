/** What drift checks of all stacks have found, as the text of the one issue that is kept up to date. */
import { boundMarkdown, splitMarkdown } from "../bound-markdown.js";
import { plainText } from "../safe-markdown.js";
import type { AnsweredDrift } from "./answered-drift.js";
import { type DriftEntry, type DriftReport, worstDrift } from "./drift.js";
import { endedLines, proposalLines } from "./drift-issue-proposals.js";
import type { KnownDrift } from "./known-drift.js";
import { knownRow } from "./plan-comment.js";
import { wordsOf } from "./shown-values.js";

export interface StackDrift {
  readonly stack: string;
  readonly report: DriftReport;
}

export interface DriftFacts {
  readonly environment: string;
  readonly stacks: readonly StackDrift[];
  /** Also what matches no resource: emergency settings. */
  readonly known: readonly KnownDrift[];
  /** Of whom it could not be asked what is known, a sentence each. */
  readonly unasked: readonly string[];
  /** What the runtime said to the drift of class `propose`; null or absent: it was not told. */
  readonly answered?: AnsweredDrift | null;
}

const ROWS_MAX = 100;
const LEAVES_MAX = 6;
const TEXT_MAX = 300;
const UNKNOWN_VALUE = "only told: no single value of the policies is known to be this";

const HEADLINES: Readonly<Record<DriftReport["state"], string>> = {
  clean: "✅ What runs is what the policies say",
  "only-known": "🟡 Only known drift",
  drifted: "🔴 What runs is not what the policies say",
  failed: "⚠️ It is not known whether what runs is what the policies say",
};

const KINDS: Readonly<Record<DriftEntry["kind"], string>> = {
  changed: "changed by hand",
  lost: "gone",
  extra: "described no more",
  unapplied: "not applied yet",
};

/** At most 60,000 characters. */
export function writeDriftIssue(facts: DriftFacts): string {
  const { environment, stacks, known, unasked, answered = null } = facts;
  const lines = [
    `## ${HEADLINES[stateOfAll(facts)]} (${plainText(environment)})`,
    "",
    ...unasked.map((sentence) => `⚠️ Known drift is not known: ${plainText(shortened(sentence))}\n`),
    ...stacks.flatMap((stack) => section(stack, environment, answered)),
    ...endedLines(answered),
    ...heldLines(known),
  ];
  return boundMarkdown(splitMarkdown(lines.join("\n").trimEnd()));
}

/** Who could not be asked is no reason to call it clean, nor only known. */
export function stateOfAll({ stacks, unasked }: DriftFacts): DriftReport["state"] {
  const state = worstDrift(stacks.map(({ report }) => report));
  if (unasked.length === 0 || state === "failed") return state;
  return state === "drifted" ? "drifted" : "failed";
}

function section(
  { stack, report }: StackDrift,
  environment: string,
  answered: AnsweredDrift | null,
): string[] {
  const head = [`### ${plainText(stack)}`, ""];
  if (report.state === "failed")
    return [...head, `⚠️ The check has failed: ${plainText(shortened(report.why))}`, ""];
  if (report.state === "clean" && report.ignored.length === 0)
    return [...head, "Nothing differs.", ""];
  return [
    ...head,
    ...table("Nobody stands for it", report.unknown),
    ...proposalLines(report.unknown, environment, answered),
    ...table("Its time is over", report.expired),
    ...table("Known", report.known),
    ...ignoredLine(report.ignored),
  ];
}

function table(title: string, entries: readonly DriftEntry[]): string[] {
  if (entries.length === 0) return [];
  const more = entries.length - ROWS_MAX;
  return [
    `**${title}**`,
    "",
    "| what | how | differs (runs → policy) | act | whose |",
    "|---|---|---|---|---|",
    ...entries.slice(0, ROWS_MAX).map(row),
    ...(more > 0 ? [`| and ${more} more | | | | |`] : []),
    "",
  ];
}

function row(entry: DriftEntry): string {
  const { address, kind, leaves, known } = entry;
  const told = leaves.slice(0, LEAVES_MAX).map((leaf) => `${leaf.path} ${wordsOf(leaf)}`);
  const more = leaves.length - told.length;
  const whose = known.map(({ owner, expires }) =>
    expires === null
      ? owner
      : `${owner} until ${expires.toISOString().slice(0, 16).replace("T", " ")}`,
  );
  const cells = [
    address,
    KINDS[kind],
    [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("; "),
    actOf(entry),
    whose.join(", ") || "nobody",
  ];
  return `| ${cells.map((text) => plainText(shortened(text))).join(" | ")} |`;
}

/** What the class wants, and where nothing of it is done by itself, that. */
function actOf({ mode, why, unhealed, keeps }: DriftEntry): string {
  if (mode === "propose") return `propose: ${why}; ${keeps === null ? UNKNOWN_VALUE : "see below"}`;
  return `${mode}: ${why}${unhealed === null ? "" : `; not put back: ${unhealed}`}`;
}

function ignoredLine(addresses: readonly string[]): string[] {
  if (addresses.length === 0) return [];
  const told = addresses.slice(0, 20).map(plainText).join(", ");
  const more = addresses.length > 20 ? ` and ${addresses.length - 20} more` : "";
  return [`Changed outside in what nothing describes, and left so: ${told}${more}.`, ""];
}

function heldLines(known: readonly KnownDrift[]): string[] {
  if (known.length === 0) return [];
  return [
    "### What somebody stands for",
    "",
    "| what | whose | why | until (UTC) |",
    "|---|---|---|---|",
    ...known.slice(0, ROWS_MAX).map(knownRow),
    ...(known.length > ROWS_MAX ? [`| and ${known.length - ROWS_MAX} more | | | |`] : []),
    "",
  ];
}

function shortened(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}
