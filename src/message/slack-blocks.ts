/**
 * A message as Slack blocks, inside Slack's limits whatever it holds: Slack refuses a whole message for
 * one block too many, and an alert that is refused is an alert that nobody hears.
 */
import { assert } from "../base/assert.js";
import { maskMessage } from "./mask-mail.js";
import type { Message, MessageAction, MessageField, MessageTone } from "./message.js";
import { tableLines } from "./plain.js";

interface PlainText {
  readonly type: "plain_text";
  readonly text: string;
  readonly emoji: true;
}
interface Mrkdwn {
  readonly type: "mrkdwn";
  readonly text: string;
}
interface Button {
  readonly type: "button";
  readonly text: PlainText;
  readonly action_id: string;
  readonly value: string;
  readonly style?: "primary" | "danger";
}
export type SlackBlock =
  | { readonly type: "header"; readonly text: PlainText }
  | { readonly type: "section"; readonly text: Mrkdwn }
  | { readonly type: "section"; readonly fields: readonly Mrkdwn[] }
  | { readonly type: "actions"; readonly elements: readonly Button[] }
  | { readonly type: "context"; readonly elements: readonly Mrkdwn[] };

export interface SlackMessage {
  /** What notifications and screen readers show. */
  readonly text: string;
  readonly blocks: SlackBlock[];
}

/**
 * Documented limits, and below them our own: Slack allows 50 blocks, and answers
 * `msg_blocks_too_long` at about 13,000 characters in total, which it documents nowhere.
 */
export const SLACK_LIMITS = {
  blocks: 45,
  total: 10_000,
  header: 150,
  section: 3_000,
  field: 2_000,
  fieldsPerSection: 10,
  fields: 40,
  buttons: 25,
  buttonsPerBlock: 5,
  buttonText: 75,
  // Slack allows 2,000; ours are lookup keys, and must fit the total 25 times.
  buttonValue: 255,
  context: 1_000,
} as const;

const MARK: Readonly<Record<MessageTone, string>> = {
  info: "",
  good: ":white_check_mark: ",
  warning: ":warning: ",
  bad: ":rotating_light: ",
};

/** Mail addresses are masked: more people read a channel than need to know them. */
export function toSlack(given: Message): SlackMessage {
  const message = maskMessage(given);
  const budget = new Budget(SLACK_LIMITS.total);
  const title = `${MARK[message.tone]}${message.title.trim() || "(no title)"}`;
  const header = { type: "header", text: plainText(title, SLACK_LIMITS.header, budget) } as const;
  const text = budget.take(SLACK_LIMITS.header, (max) => escapeWithin(title, max));
  // What people act on and find it again by comes before what may be long.
  const actions = actionBlocks(message.actions ?? [], budget);
  const footer = contextBlocks(message.footer, budget);
  const links = linkBlocks(message.links ?? [], budget);
  const blocks: SlackBlock[] = [
    header,
    ...textBlocks(message.text, budget),
    ...fieldBlocks(message.fields ?? [], budget),
    ...codeBlocks(message.table && tableLines(message.table).join("\n"), budget),
    ...codeBlocks(message.code, budget),
    ...links,
    ...actions,
    ...footer,
  ];
  assert(blocks.length <= SLACK_LIMITS.blocks, "a Slack message has at most 45 blocks");
  return { text, blocks };
}

/** Characters that are left for the whole message. */
class Budget {
  #left: number;

  constructor(characters: number) {
    this.#left = characters;
  }

  /** Lets `write` use at most `max` characters, or what is left, and takes what it used. */
  take(max: number, write: (max: number) => string): string {
    const text = write(Math.max(Math.min(max, this.#left), 0));
    this.#left -= text.length;
    return text;
  }
}

function plainText(text: string, max: number, budget: Budget): PlainText {
  return { type: "plain_text", text: budget.take(max, (most) => cut(text, most)), emoji: true };
}

function textBlocks(text: string | undefined, budget: Budget): SlackBlock[] {
  return section(budget.take(SLACK_LIMITS.section, (max) => escapeWithin(text ?? "", max)));
}

function section(text: string): SlackBlock[] {
  return text.trim() === "" ? [] : [{ type: "section", text: { type: "mrkdwn", text } }];
}

function fieldBlocks(fields: readonly MessageField[], budget: Budget): SlackBlock[] {
  const shown = fields.slice(0, SLACK_LIMITS.fields);
  const texts = shown.map(({ label, value }) =>
    budget.take(SLACK_LIMITS.field, (max) => {
      const name = `*${escapeWithin(label, 100)}*\n`;
      return max <= name.length ? "" : `${name}${escapeWithin(value, max - name.length)}`;
    }),
  );
  return chunk(
    texts.filter((text) => text !== ""),
    SLACK_LIMITS.fieldsPerSection,
  ).map((part) => ({
    type: "section",
    fields: part.map((text) => ({ type: "mrkdwn", text })),
  }));
}

const FENCE = "```";

/** Sections that one output may fill. */
const CODE_SECTIONS = 3;

/** The end of an output is what tells why it ended, so the beginning is what is cut. */
function codeBlocks(code: string | undefined, budget: Budget): SlackBlock[] {
  if (code === undefined || code.trim() === "") return [];
  // A fence inside would end ours.
  const lines = code.replaceAll(FENCE, "'''").split("\n");
  const blocks: SlackBlock[] = [];
  while (lines.length > 0 && blocks.length < CODE_SECTIONS) {
    const isLast = blocks.length === CODE_SECTIONS - 1;
    const fenced = budget.take(SLACK_LIMITS.section, (max) => {
      const room = max - 2 * FENCE.length - 2;
      if (room <= 0) return "";
      const part = isLast ? lines.splice(0).join("\n") : takeTail(lines, room);
      return `${FENCE}\n${escapeTail(part, room)}\n${FENCE}`;
    });
    if (fenced === "") break;
    blocks.unshift(...section(fenced));
  }
  return blocks;
}

/** Takes the last lines that fit, or the one last line that does not. */
function takeTail(lines: string[], room: number): string {
  let size = 0;
  let from = lines.length;
  while (from > 0 && size + escapeSlack(lines[from - 1]!).length + 1 <= room) {
    from -= 1;
    size += escapeSlack(lines[from]!).length + 1;
  }
  return lines.splice(Math.min(from, lines.length - 1)).join("\n");
}

function linkBlocks(
  links: readonly { readonly label: string; readonly url: string }[],
  budget: Budget,
): SlackBlock[] {
  const written = budget.take(SLACK_LIMITS.section, (max) => {
    let text = "";
    for (const { label, url } of links) {
      const target = escapeSlack(url).replaceAll("|", "%7C");
      const link = `<${target}|${escapeWithin(label.replaceAll("|", "/"), 100)}>`;
      const next = text === "" ? link : `${text} · ${link}`;
      // Half a link is worse than none.
      if (next.length <= max) text = next;
    }
    return text;
  });
  return section(written);
}

function actionBlocks(actions: readonly MessageAction[], budget: Budget): SlackBlock[] {
  const buttons = actions.slice(0, SLACK_LIMITS.buttons).map((action, i): Button => {
    const value = budget.take(SLACK_LIMITS.buttonValue, () => action.value);
    assert(value.length <= SLACK_LIMITS.buttonValue, "a button's value is a short lookup key");
    return {
      type: "button",
      text: plainText(action.label.trim() || action.action, SLACK_LIMITS.buttonText, budget),
      // Slack wants it to be unique in its message.
      action_id: i === 0 ? action.action : `${action.action}#${i}`,
      value,
      ...(action.style ? { style: action.style } : {}),
    };
  });
  return chunk(buttons, SLACK_LIMITS.buttonsPerBlock).map((elements) => ({
    type: "actions",
    elements,
  }));
}

function contextBlocks(footer: string | undefined, budget: Budget): SlackBlock[] {
  const text = budget.take(SLACK_LIMITS.context, (max) => escapeWithin(footer ?? "", max));
  if (text.trim() === "") return [];
  return [{ type: "context", elements: [{ type: "mrkdwn", text }] }];
}

const ENTITY: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** After this nothing in the text can mention a channel, a person, or look like our own link. */
function escapeSlack(text: string): string {
  return text.replace(/[&<>]/g, (char) => ENTITY[char]!);
}

const CUT = "…";

/** Escaped and at most `max` long; never half an entity or half a character. */
function escapeWithin(text: string, max: number): string {
  const whole = escapeSlack(text);
  if (whole.length <= max) return whole;
  return max < CUT.length ? "" : keep([...text], max - CUT.length) + CUT;
}

/** The same from the end. */
function escapeTail(text: string, max: number): string {
  const whole = escapeSlack(text);
  if (whole.length <= max) return whole;
  const reversed = [...text].reverse();
  let kept = "";
  for (const char of reversed) {
    const next = (ENTITY[char] ?? char) + kept;
    if (next.length > max - CUT.length) break;
    kept = next;
  }
  return CUT + kept;
}

function keep(chars: readonly string[], max: number): string {
  let kept = "";
  for (const char of chars) {
    const next = kept + (ENTITY[char] ?? char);
    if (next.length > max) break;
    kept = next;
  }
  return kept;
}

/** For plain text objects, which Slack does not parse. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  let kept = "";
  for (const char of text) {
    if (kept.length + char.length > max - CUT.length) break;
    kept += char;
  }
  return kept + CUT;
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < items.length; i += size) chunks.push(items.slice(i, i + size));
  return chunks;
}
