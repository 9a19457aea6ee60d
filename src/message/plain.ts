/** A message as plain lines: terminals, PagerDuty notes, e-mail, and what a screen reader gets. */
import type { Message, MessageTable, MessageTone } from "./message.js";

const MARK: Readonly<Record<MessageTone, string>> = {
  info: "",
  good: "[ok] ",
  warning: "[warning] ",
  bad: "[alert] ",
};

export function toPlain(message: Message): string {
  const parts = [
    `${MARK[message.tone]}${message.title}`,
    message.text,
    message.fields?.map(({ label, value }) => `${label}: ${value}`).join("\n"),
    message.table && tableLines(message.table).join("\n"),
    message.code,
    message.links?.map(({ label, url }) => `${label}: ${url}`).join("\n"),
    message.footer,
  ];
  return parts.filter((part) => part !== undefined && part !== "").join("\n\n");
}

/** Columns padded to their widest cell; line breaks inside a cell become blanks. */
export function tableLines(table: MessageTable): string[] {
  const rows = [table.columns, ...table.rows].map((row) =>
    table.columns.map((_, i) => oneLine(row[i] ?? "")),
  );
  const widths = table.columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
}

export function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ");
}
