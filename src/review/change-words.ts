/** A change that was asked for, in the words of its pull request: branch, title, body and commit message. */
import type { Change } from "../policy/change.js";
import { printPolicyPath } from "../policy/path.js";
import { worstRisk } from "../policy/risk.js";
import type { ChangePlan, ChangeRequest } from "./change-request.js";
import { codeBlock, plainLine, plainText } from "./safe-markdown.js";

/** Rows of an entity that are old enough to go now, by the present number and by the wanted one. */
export interface RowsToGo {
  readonly entity: string;
  readonly before: number;
  readonly after: number;
}

export interface ChangeWords {
  readonly title: string;
  /** Markdown. */
  readonly body: string;
  /** Of the commit. */
  readonly message: string;
}

/** So often the same change is opened anew after people have closed it. */
export const TRIES_MAX = 9;

/** In the order in which they are used. */
export function changeBranches(key: string): string[] {
  const first = `algobrain/change-${key}`;
  return Array.from({ length: TRIES_MAX }, (_, at) => (at === 0 ? first : `${first}-${at + 1}`));
}

const TITLE_MAX = 100;
const REASON_MAX = 500;
const CHANGES_MAX = 50;

export function writeChangeRequest(
  request: ChangeRequest,
  plan: ChangePlan,
  rowsToGo: readonly RowsToGo[],
): ChangeWords {
  const title = plainLine(`policy: ${subjectOf(request)} (${request.environment})`);
  const reason = request.reason.slice(0, REASON_MAX);
  return {
    title: title.slice(0, TITLE_MAX),
    body: bodyOf(request, plan, rowsToGo, reason),
    message: [
      title.slice(0, TITLE_MAX),
      "",
      `Reason: ${plainLine(reason)}`,
      `Asked by: ${plainLine(request.by)}`,
      "",
    ].join("\n"),
  };
}

/** `retention.events_retention_days = 60`, or how many values of what. */
function subjectOf({ changes }: ChangeRequest): string {
  const [first] = changes;
  if (changes.length === 1 && first) {
    return `${printPolicyPath(first.path)} = ${JSON.stringify(first.value)}`;
  }
  const sections = [...new Set(changes.map(({ path }) => path[0]))];
  return `${changes.length} values of ${sections.join(", ")}`;
}

function bodyOf(
  { by, environment }: ChangeRequest,
  plan: ChangePlan,
  rowsToGo: readonly RowsToGo[],
  reason: string,
): string {
  const parts = [
    `Asked for by **${plainText(by)}**: ${plainText(reason)}`,
    riskSentence(plan.changes),
    changeTable(plan.changes),
    ...plan.edited.map(
      (edited) =>
        `\`${edited.file.path}\`, line ${edited.line}:\n\n${codeBlock(diffLines(edited), "diff")}`,
    ),
    rowsSentence(rowsToGo),
    plan.elsewhere.length > 0
      ? `Besides ${environment}, this changes: ${plan.elsewhere.join(", ")}.`
      : "",
    `<sub>Merging it is what puts it in force, after the next publication. Asking again for the same finds this pull request (${plan.key}).</sub>`,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function riskSentence(changes: readonly Change[]): string {
  const worst = worstRisk(changes);
  if (worst === "irreversible") {
    return "**Irreversible:** what goes does not come back by a revert. Let a second person look at it.";
  }
  return worst === null ? "" : `Risk: **${worst}**.`;
}

function changeTable(changes: readonly Change[]): string {
  const rows = changes
    .slice(0, CHANGES_MAX)
    .map(({ risk, subject, words }) => `| ${risk} | ${plainText(subject)} | ${plainText(words)} |`);
  const more = changes.length - rows.length;
  return [
    "| risk | what | change |",
    "|---|---|---|",
    ...rows,
    ...(more > 0 ? [`| | | and ${more} more |`] : []),
  ].join("\n");
}

/** An added key has no line before. */
function diffLines({ before, after }: ChangePlan["edited"][number]): string[] {
  return [...(before === "" ? [] : [`-${before}`]), ...(after === "" ? [] : [`+${after}`])];
}

/** A smaller number deletes: how much, by the rows that are there now. */
function rowsSentence(rowsToGo: readonly RowsToGo[]): string {
  const lines = rowsToGo
    .filter(({ before, after }) => after > before)
    .map(
      ({ entity, before, after }) =>
        `- ${plainText(entity)}: ${after - before} more (${after} instead of ${before})`,
    );
  return lines.length === 0 ? "" : ["Rows that the next gc deletes:", "", ...lines].join("\n");
}
