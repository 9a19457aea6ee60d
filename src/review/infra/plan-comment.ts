/**
 * Plans as the comment that reviewers read: what stops, then a table of changes by risk, worst first. Made of judged
 * JSON alone; raw plan text is in no comment (gitops-iac.md E).
 */
import { boundMarkdown, splitMarkdown } from "../bound-markdown.js";
import { plainText } from "../safe-markdown.js";
import { type ChangeClass, CLASSES, type Classified, classify } from "./classify.js";
import type { KnownDrift } from "./known-drift.js";
import { isQuiet, type Leaf, type PlanDocument, type PlannedChange } from "./plan-document.js";
import type { Idle } from "./plan-exceptions.js";
import { wordsOf } from "./shown-values.js";
import { type PlanFinding, type Verdict, type VerdictState, worstState } from "./verdict.js";

export interface ReviewedPlan {
  readonly stack: string;
  /** `error`: it could not be planned, and why, in words that may be shown. */
  readonly plan: PlanDocument | { readonly error: string };
  readonly verdict: Verdict;
}

const ROWS_MAX = 100;
const LEAVES_MAX = 6;
const FINDINGS_MAX = 40;
const ADDRESSES_MAX = 20;
const TEXT_MAX = 300;

const STATE_WORDS: Readonly<Record<VerdictState, string>> = {
  ok: "✅ Infrastructure: within the budgets",
  ask: "⚠️ Infrastructure: look before it is applied",
  stop: "⛔ Infrastructure: this is not applied",
};
const MARKS: Readonly<Record<ChangeClass, string>> = {
  "replace-stateful": "⛔",
  "delete-stateful": "⛔",
  "retention-shorter": "⛔",
  delete: "🔴",
  replace: "🔴",
  power: "🟠",
  network: "🟠",
  capacity: "🟡",
  alarm: "🟡",
  deployment: "⚪",
  create: "⚪",
  other: "⚪",
};

/** At most 60,000 characters. @param idle exceptions that let nothing through */
export function writePlanComment(
  plans: readonly ReviewedPlan[],
  known: readonly KnownDrift[] = [],
  idle: readonly Idle[] = [],
): string {
  const state = worstState(plans.map(({ verdict }) => verdict.state));
  const moving = plans.filter((one) => !isStill(one));
  const still = plans.filter(isStill).map(({ stack }) => plainText(stack));
  const lines = [
    `## ${plans.length === 0 ? "⚠️ Infrastructure: nothing was planned" : STATE_WORDS[state]}`,
    "",
    ...(still.length > 0 ? [`Nothing changes in ${still.join(", ")}.`, ""] : []),
    ...moving.flatMap(section),
    ...knownLines(known),
    ...idleLines(idle),
  ];
  return boundMarkdown(splitMarkdown(lines.join("\n").trimEnd()));
}

/** Imports change no resource, but are worth a line. */
function isStill({ plan, verdict }: ReviewedPlan): boolean {
  if ("error" in plan) return false;
  const { changes, outputsChanged } = plan;
  const isMoving = changes.some((change) => !isQuiet(change) || change.importing);
  return !isMoving && outputsChanged.length === 0 && verdict.state === "ok";
}

function section({ stack, plan, verdict }: ReviewedPlan): string[] {
  const head = [`### ${plainText(stack)}`, ""];
  if ("error" in plan)
    return [
      ...head,
      `⛔ Could not be planned: ${plainText(shortened(plan.error))}`,
      "",
      ...findings(verdict),
    ];
  const changes = plan.changes
    .filter((change) => !isQuiet(change) || change.importing)
    .map((change) => ({ change, risk: classify(change) }))
    .sort(byRisk);
  return [
    ...head,
    `${summary(changes.map(({ change }) => change))}`,
    "",
    ...findings(verdict),
    ...table(changes),
    ...outputs(plan.outputsChanged),
  ];
}

interface Row {
  readonly change: PlannedChange;
  readonly risk: Classified;
}

function byRisk(a: Row, b: Row): number {
  const rank = ({ risk }: Row) => CLASSES.indexOf(risk.class);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  return a.change.address < b.change.address ? -1 : 1;
}

/** `2 made anew, 1 deleted, 3 changed, 4 new, 5 taken over` */
function summary(changes: readonly PlannedChange[]): string {
  const count = (is: (change: PlannedChange) => boolean) => changes.filter(is).length;
  const has = (change: PlannedChange, action: PlannedChange["actions"][number]) =>
    change.actions.includes(action);
  const counts: readonly [number, string][] = [
    [count((one) => has(one, "delete") && has(one, "create")), "made anew"],
    [count((one) => has(one, "delete") && !has(one, "create")), "deleted"],
    [count((one) => has(one, "forget")), "forgotten"],
    [count((one) => has(one, "update")), "changed in place"],
    [count((one) => has(one, "create") && !has(one, "delete")), "new"],
    [count((one) => one.importing), "taken over"],
  ];
  const words = counts
    .filter(([number]) => number > 0)
    .map(([number, what]) => `${number} ${what}`);
  return words.length === 0 ? "No resource changes." : `${words.join(", ")}.`;
}

function findings({ findings }: Verdict): string[] {
  if (findings.length === 0) return [];
  const lines = findings.slice(0, FINDINGS_MAX).map(findingLine);
  const more = findings.length - lines.length;
  return [...lines, ...(more > 0 ? [`- and ${more} more findings`] : []), ""];
}

function findingLine({ rule, text, addresses, excepted }: PlanFinding): string {
  const said = `- **${plainText(rule)}**: ${plainText(shortened(text))}`;
  if (excepted !== null) {
    const { name, owner, expires } = excepted;
    return `${said} (let through by ${plainText(name)} of ${plainText(owner)} until ${expires.toISOString().slice(0, 10)})`;
  }
  // One address stands in the sentence already.
  if (addresses.length < 2) return said;
  const named = addresses.slice(0, ADDRESSES_MAX).map(code);
  const more = addresses.length - named.length;
  return `${said}: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function table(rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const shown = rows.slice(0, ROWS_MAX);
  const more = rows.length - shown.length;
  return [
    "| risk | what | why | attributes |",
    "|---|---|---|---|",
    ...shown.map(row),
    ...(more > 0 ? [`| | and ${more} more, none of a worse class | | |`] : []),
    "",
  ];
}

function row({ change, risk }: Row): string {
  const cells = [
    `${MARKS[risk.class]} ${risk.class}`,
    code(change.address),
    plainText(shortened(risk.why)),
    attributes(change),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** What forces a replacement first, then what can be read, and what only the apply will tell last. */
function attributes({ leaves, replacePaths }: PlannedChange): string {
  const rank = ({ path, before, after }: Leaf) => {
    if (replacePaths.includes(path)) return 0;
    if (after.kind === "unknown") return 3;
    return before.kind === "value" || after.kind === "value" ? 1 : 2;
  };
  const told = [...leaves].sort((a, b) => rank(a) - rank(b)).slice(0, LEAVES_MAX);
  const more = leaves.length - told.length;
  const words = told.map((leaf) => plainText(shortened(`${leaf.path} ${wordsOf(leaf)}`)));
  return [...words, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

function outputs(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const told = names.slice(0, ADDRESSES_MAX).map(plainText).join(", ");
  const more = names.length - ADDRESSES_MAX;
  return [`Outputs change: ${told}${more > 0 ? ` and ${more} more` : ""}.`, ""];
}

function knownLines(known: readonly KnownDrift[]): string[] {
  if (known.length === 0) return [];
  return [
    "### Known drift",
    "",
    "Somebody has changed this by hand, for a while. Applying takes it back.",
    "",
    "| what | whose | why | until |",
    "|---|---|---|---|",
    ...known.slice(0, ROWS_MAX).map(knownRow),
    ...(known.length > ROWS_MAX ? [`| and ${known.length - ROWS_MAX} more | | | |`] : []),
    "",
  ];
}

export function knownRow({ address, attribute, owner, reason, expires }: KnownDrift): string {
  const what = attribute === "" ? address : `${address} ${attribute}`;
  const until = expires === null ? "–" : expires.toISOString().slice(0, 16).replace("T", " ");
  return `| ${[what, owner, reason, until].map((text) => plainText(shortened(text))).join(" | ")} |`;
}

function idleLines(idle: readonly Idle[]): string[] {
  return idle.slice(0, FINDINGS_MAX).map(({ name, owner, why }) => {
    const words =
      why === "expired" ? "has run out and lets nothing through" : "lets nothing through";
    return `- The exception ${plainText(name)} of ${plainText(owner)} ${words}: take it out of exceptions.yaml.`;
  });
}

function code(text: string): string {
  return plainText(shortened(text));
}

function shortened(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}
