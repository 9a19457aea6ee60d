/** A long report cut to what a comment may hold, at the border of a section, with what is open closed behind the cut. */

export interface MarkdownSection {
  /** Empty for what stands before the first heading. */
  readonly title: string;
  /** With the heading itself, where there is one. */
  readonly lines: readonly string[];
}

/** GitHub takes 65,536, counted in one way or another: this leaves room for the marker and for both ways. */
const COMMENT_MAX = 60_000;
/** So much more than UTF-16 units may there be bytes. */
const BYTES_MORE = 5_000;
/** For the sentence that names what was left out. */
const ROOM = 600;
const TITLES_MAX = 5;

/** By headings outside of code. */
export function splitMarkdown(markdown: string): MarkdownSection[] {
  const sections: { title: string; lines: string[] }[] = [{ title: "", lines: [] }];
  let fence: string | null = null;
  for (const line of markdown.split("\n")) {
    const heading = fence === null ? /^#{1,4} +(.*)$/.exec(line)?.[1] : undefined;
    if (heading !== undefined) sections.push({ title: heading, lines: [] });
    sections.at(-1)!.lines.push(line);
    fence = fenceAfter(line, fence);
  }
  return sections.filter(({ title, lines }) => title !== "" || lines.some((line) => line !== ""));
}

/** At most `max` UTF-16 units, and 5,000 more bytes than that. What does not fit is named, never dropped in silence. */
export function boundMarkdown(sections: readonly MarkdownSection[], max = COMMENT_MAX): string {
  const whole = joined(sections);
  if (fits(whole, max)) return whole;
  const sizes = sections.map(({ lines }) => sizeOf(lines.join("\n")));
  const count = countWithin(sizes, max - ROOM);
  if (count > 0)
    return `${closeOpen(joined(sections.slice(0, count)))}\n\n${leftOut(sections.slice(count))}`;
  // Not even the first one fits: as many of its lines as do. What closes them needs room too.
  const { lines } = sections[0]!;
  const some = lines.slice(0, countWithin(lines.map(sizeOf), max - 2 * ROOM));
  return `${closeOpen(some.join("\n"))}\n\n${leftOut(sections)}`;
}

interface Size {
  /** In UTF-16 units. */
  readonly length: number;
  readonly bytes: number;
}

function sizeOf(text: string): Size {
  return { length: text.length, bytes: Buffer.byteLength(text, "utf8") };
}

/** How many of them, joined by line breaks, stay within `max`. */
function countWithin(sizes: readonly Size[], max: number): number {
  let length = 0;
  let bytes = 0;
  for (const [count, size] of sizes.entries()) {
    length += size.length + 1;
    bytes += size.bytes + 1;
    if (length > max || bytes > max + BYTES_MORE) return count;
  }
  return sizes.length;
}

function joined(sections: readonly MarkdownSection[]): string {
  return sections.flatMap(({ lines }) => lines).join("\n");
}

function fits(text: string, max: number): boolean {
  const { length, bytes } = sizeOf(text);
  return length <= max && bytes <= max + BYTES_MORE;
}

/** Fences and folds that the cut has left open. */
function closeOpen(markdown: string): string {
  let fence: string | null = null;
  let folds = 0;
  for (const line of markdown.split("\n")) {
    if (fence === null && /^<details(?: open)?>$/.test(line)) folds += 1;
    if (fence === null && line === "</details>") folds -= 1;
    fence = fenceAfter(line, fence);
  }
  const closing = Array.from({ length: Math.max(0, folds) }, () => "\n</details>");
  return [markdown, ...(fence === null ? [] : [fence]), ...closing].join("\n");
}

/** The fence that is open behind this line. */
function fenceAfter(line: string, open: string | null): string | null {
  const run = /^(`{3,}|~{3,})/.exec(line)?.[1];
  if (run === undefined) return open;
  if (open === null) return run;
  return run.startsWith(open) && line.trim() === run ? null : open;
}

function leftOut(sections: readonly MarkdownSection[]): string {
  const titles = sections.map(({ title }) => title.slice(0, 60)).filter((title) => title !== "");
  const named = titles.slice(0, TITLES_MAX).join(", ");
  const more = titles.length > TITLES_MAX ? `, and ${titles.length - TITLES_MAX} more` : "";
  const what = named === "" ? "The rest" : `The rest (${named}${more})`;
  return `*${what} is longer than a comment may be: the log of the job has all of it.*`;
}
