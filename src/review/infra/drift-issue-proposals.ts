/** Of the drift issue: by which pull requests what runs is kept, and the commands where the runtime has opened none. */
import { codeBlock, plainText } from "../safe-markdown.js";
import type { AnsweredDrift, AnsweredProposal } from "./answered-drift.js";
import type { DriftEntry } from "./drift.js";
import type { PolicyValue } from "./policy-value.js";

const ROWS_MAX = 100;
const WHY_MAX = 300;

export function proposalLines(
  entries: readonly DriftEntry[],
  environment: string,
  answered: AnsweredDrift | null,
): string[] {
  const values = entries.flatMap(({ keeps }) => keeps ?? []).slice(0, ROWS_MAX);
  const found = values.map((value) => [value, answerFor(value, answered)] as const);
  const named = found.flatMap(([, answer]) => (hasNumber(answer) ? [bullet(answer)] : []));
  const left = found.filter(([, answer]) => !hasNumber(answer));
  return [
    ...(named.length === 0 ? [] : ["What runs is kept by merging these:", "", ...named, ""]),
    ...commandLines(left, environment, answered),
  ];
}

function answerFor(
  { path, value }: PolicyValue,
  answered: AnsweredDrift | null,
): AnsweredProposal | null {
  if (answered === null || "why" in answered) return null;
  return answered.proposals.find((one) => one.path === path && one.value === value) ?? null;
}

function hasNumber(
  answer: AnsweredProposal | null,
): answer is AnsweredProposal & { readonly number: number } {
  return answer?.number != null;
}

/** The address as code: numbers and addresses are no links in an issue that strangers have had a hand in (review/safe-markdown). */
function bullet({ path, value, outcome, number, url, why }: AnsweredProposal): string {
  const word = outcome === "refused" ? `: ${wordsOf(why)}` : outcome === "opened" ? " (new)" : "";
  return `- ${plainText(path)} = ${value}: #${number}${word}, \`${url}\``;
}

/** Whoever runs one of these stands for the change. */
function commandLines(
  left: readonly (readonly [PolicyValue, AnsweredProposal | null])[],
  environment: string,
  answered: AnsweredDrift | null,
): string[] {
  if (left.length === 0) return [];
  const whys = left.flatMap(([{ path }, answer]) =>
    answer === null ? [] : [`- ${plainText(path)}: ${wordsOf(answer.why)}`],
  );
  const untold =
    answered !== null && "why" in answered
      ? [`⚠️ The runtime has opened no pull request: ${wordsOf(answered.why)}`, ""]
      : [];
  const commands = left.map(
    ([{ path, value }]) =>
      `algobrain policy change ${path} ${value} --env ${environment} --reason "why it is kept"`,
  );
  return [
    ...untold,
    ...(whys.length === 0 ? [] : ["No pull request was opened:", "", ...whys, ""]),
    ...["What runs is kept by a pull request:", "", codeBlock(commands, "text"), ""],
  ];
}

/** What became of pull requests whose drift is no more. */
export function endedLines(answered: AnsweredDrift | null): string[] {
  if (answered === null || "why" in answered || answered.ended.length === 0) return [];
  const rows = answered.ended
    .slice(0, ROWS_MAX)
    .map(({ number, outcome, why }) => `- #${number} ${ENDS[outcome]}: ${wordsOf(why)}`);
  return ["### Pull requests for drift that is no more", "", ...rows, ""];
}

const ENDS = { closed: "was closed", merged: "was merged", left: "is left to people" } as const;

function wordsOf(why: string | null): string {
  return plainText((why ?? "").slice(0, WHY_MAX));
}
