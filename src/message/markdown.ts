/** A message as GitHub Markdown: pull-request comments and reports. Values cannot become markup. */
import type { Message, MessageTable, MessageTone } from "./message.js";
import { oneLine } from "./plain.js";

const MARK: Readonly<Record<MessageTone, string>> = {
  info: "",
  good: "✅ ",
  warning: "⚠️ ",
  bad: "🚨 ",
};

export function toMarkdown(message: Message): string {
  const parts = [
    `### ${MARK[message.tone]}${inline(message.title)}`,
    message.text && escapeMarkdown(message.text),
    message.fields
      ?.map((field) => `- **${inline(field.label)}:** ${inline(field.value)}`)
      .join("\n"),
    message.table && markdownTable(message.table),
    message.code && fenced(message.code),
    message.links?.map(({ label, url }) => `[${inline(label)}](<${linkTarget(url)}>)`).join(" · "),
    message.footer && `<sub>${inline(message.footer)}</sub>`,
  ];
  return parts.filter((part) => part !== undefined && part !== "").join("\n\n");
}

/** Also `@` and `#`: a job's error text must not mention people or close issues. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*_[\]#|~@]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

function inline(text: string): string {
  return escapeMarkdown(oneLine(text));
}

function markdownTable({ columns, rows }: MessageTable): string {
  const line = (cells: readonly string[]) =>
    `| ${columns.map((_, i) => inline(cells[i] ?? "")).join(" | ")} |`;
  return [line(columns), `|${" --- |".repeat(columns.length)}`, ...rows.map(line)].join("\n");
}

/** A fence longer than any run of backticks inside. */
function fenced(code: string): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${code}\n${fence}`;
}

function linkTarget(url: string): string {
  return url.replace(/[<>\s]/g, encodeURIComponent);
}
