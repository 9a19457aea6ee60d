/**
 * Markdown for GitHub that a stranger may have had a hand in: a branch's own report, a person's reason. Nobody is
 * mentioned, no issue is linked, no HTML but folds comes through, and nothing stays open behind it.
 */
import { oneLine } from "../message/plain.js";

/**
 * Between `@` and a name. Escapes do not help: GitHub looks for names after it has rendered the Markdown
 * (html-pipeline), when `\@` and `&#64;` are an `@` again. Dependabot does the same.
 */
const ZERO_WIDTH_SPACE = "\u200B";

/** Names of people and teams, numbers of issues, and addresses of issues, which GitHub links back from. */
function withoutReferences(text: string): string {
  return text
    .replace(/@(?=[\p{L}\p{N}_-])/gu, `@${ZERO_WIDTH_SPACE}`)
    .replace(/#(?=\d)/g, `#${ZERO_WIDTH_SPACE}`)
    .replace(/\bGH-(?=\d)/gi, `$&${ZERO_WIDTH_SPACE}`)
    .replace(/(github\.com)(?=\/[^/\s]+\/[^/\s]+\/(?:issues|pull|discussions)\/\d)/gi, "$1\u200B");
}

/** Text as it stands, inside a line of Markdown: no mark-up, no reference, no line break. */
export function plainText(text: string): string {
  const escaped = oneLine(text)
    .replace(/[\\`*_[\]|~!]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
  return withoutReferences(escaped);
}

/** For a title or a commit message, which GitHub does not render, but looks through for references. */
export function plainLine(text: string): string {
  return withoutReferences(oneLine(text)).replace(/\p{Cc}/gu, " ");
}

/** A fence longer than any run of backticks inside. */
export function codeBlock(lines: readonly string[], language = ""): string {
  const runs = lines.join("\n").match(/`+/g) ?? [];
  const fence = "`".repeat(Math.max(2, ...runs.map((run) => run.length)) + 1);
  return [`${fence}${language}`, ...lines, fence].join("\n");
}

/** Only from the first column: elsewhere it depends on what stands before whether GitHub sees a fence. */
const FENCE = /^(`{3,}|~{3,})[ \t]*([\w-]*)[ \t]*$/;
const LANGUAGES = ["", "diff", "yaml", "json", "text"];
/** The only HTML that passes, each alone on its line. */
const FOLD_OPENS = /^<details(?: open)?>$/;
const FOLD_TITLE = /^<summary>(.*)<\/summary>$/;
const FOLD_CLOSES = "</details>";
const SMALL_PRINT = /^<sub>(.*)<\/sub>$/;

/** UTF-16 units: nobody reads on, and a line of megabytes would take minutes. */
const LINE_MAX = 4_000;

/** Foreign Markdown with its headings, lists, tables, code and folds, and nothing else. Closes what it leaves open. */
export function safeMarkdown(markdown: string): string {
  const reader = new Reader();
  for (const line of markdown.replace(/\r\n?/g, "\n").split("\n")) reader.read(line);
  return reader.end();
}

class Reader {
  readonly #lines: string[] = [];
  /** Of the fence that is open. */
  #fence: string | null = null;
  #folds = 0;

  read(whole: string): void {
    const line = whole.length > LINE_MAX ? `${whole.slice(0, LINE_MAX)}…` : whole;
    if (this.#fence !== null) this.#readCode(line);
    else this.#readText(line.replaceAll("\0", "\uFFFD"));
  }

  end(): string {
    if (this.#fence !== null) this.#lines.push(this.#fence);
    for (; this.#folds > 0; this.#folds--) this.#alone(FOLD_CLOSES);
    return this.#lines.join("\n").trim();
  }

  /** In code GitHub sees no names and no HTML. */
  #readCode(line: string): void {
    const closes = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(line)?.[1];
    const isEnd = closes?.startsWith(this.#fence!) === true;
    this.#lines.push(isEnd ? this.#fence! : line);
    if (isEnd) this.#fence = null;
  }

  #readText(line: string): void {
    const [, fence, language = ""] = FENCE.exec(line) ?? [];
    if (fence !== undefined) {
      this.#fence = fence;
      this.#lines.push(fence + (LANGUAGES.includes(language) ? language : ""));
    } else if (FOLD_OPENS.test(line)) {
      this.#folds += 1;
      this.#alone(line);
    } else if (line === FOLD_CLOSES && this.#folds > 0) {
      this.#folds -= 1;
      this.#alone(line);
    } else this.#readWords(line);
  }

  #readWords(line: string): void {
    const title = FOLD_TITLE.exec(line)?.[1];
    const small = SMALL_PRINT.exec(line)?.[1];
    if (small !== undefined) this.#lines.push(`<sub>${safeInline(small)}</sub>`);
    else if (title !== undefined && this.#folds > 0)
      this.#alone(`<summary>${safeInline(title)}</summary>`);
    else this.#lines.push(safeInline(line));
  }

  /** A block of HTML reaches to the next empty line, and inside it nothing is Markdown. */
  #alone(tag: string): void {
    this.#lines.push(tag, "");
  }
}

/** One line: code in backticks stays, and all else loses HTML, images and references. */
function safeInline(line: string): string {
  const parts: string[] = [];
  let at = 0;
  while (at < line.length) {
    const special = line.slice(at).search(/[\\`]/);
    const from = special === -1 ? line.length : at + special;
    parts.push(safeWords(line.slice(at, from)));
    const [part, next] = line[from] === "`" ? codeSpan(line, from) : escapedSign(line, from);
    parts.push(part);
    at = next;
  }
  return parts.join("");
}

function safeWords(text: string): string {
  const escaped = text
    .replaceAll("<", "&lt;")
    .replaceAll("![", "!\\[")
    // Any line that begins with three opens a fence for GitHub, whatever stands behind them.
    .replace(/~{3,}/g, (run) => run.replaceAll("~", "\\~"));
  return withoutReferences(escaped);
}

/** A backslash takes the meaning of the sign behind it. */
function escapedSign(line: string, at: number): [part: string, next: number] {
  const escaped = line[at + 1];
  if (escaped === undefined) return [line.slice(at, at + 1), at + 1];
  // What it is in front of may begin a tag or a name all the same.
  return "<@#".includes(escaped) || !/[!-/:-@[-`{-~]/.test(escaped)
    ? [line[at]!, at + 1]
    : [line.slice(at, at + 2), at + 2];
}

/** Whole when the line closes it; a run that stays open would reach into the lines below, so it is no code. */
function codeSpan(line: string, at: number): [part: string, next: number] {
  const run = /^`+/.exec(line.slice(at))![0];
  const behind = at + run.length;
  for (const { index, 0: closing } of line.slice(behind).matchAll(/`+/g)) {
    if (closing.length !== run.length) continue;
    const end = behind + index + closing.length;
    return [line.slice(at, end), end];
  }
  return [run.replaceAll("`", "\\`"), behind];
}
