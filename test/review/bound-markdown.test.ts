import { describe, expect, test } from "vitest";
import { boundMarkdown, splitMarkdown } from "../../src/review/bound-markdown.js";

const section = (title: string, lines: number, line = "| looser | AR-06 | 1000 → 1200 |") =>
  [`## ${title}`, "", ...Array.from({ length: lines }, () => line), ""].join("\n");
const bound = (markdown: string, max?: number) => boundMarkdown(splitMarkdown(markdown), max);

describe("a report that is longer than a comment may be", () => {
  test("that is not longer stays as it is", () => {
    const report = `intro\n\n${section("production", 3)}\n${section("staging", 3)}`;
    expect(bound(report)).toBe(report);
  });

  test("ends at the border of a section, and names what was left out", () => {
    const report = [section("production", 1_000), section("staging", 1_500), section("local", 9)];
    const cut = bound(report.join("\n"));
    expect(cut.length).toBeLessThanOrEqual(60_000);
    expect(cut).toContain("## production");
    expect(cut).not.toContain("## staging");
    expect(cut).toMatch(/\*The rest \(staging, local\) is longer than a comment may be: .*\*$/);
  });

  test("of one section is cut between lines, with fence and fold closed", () => {
    const code = Array.from({ length: 9_000 }, (_, at) => `+line ${at}`);
    const report = ["## production", "<details>", "", "````diff", ...code, "````", "</details>"];
    const cut = bound(report.join("\n"));
    expect(cut.length).toBeLessThanOrEqual(60_000);
    expect(cut).toMatch(/\n\+line \d+\n````\n\n<\/details>\n\n\*The rest \(production\)/);
  });

  test("is counted in bytes too", () => {
    const cut = bound(section("生产", 4_000, "生".repeat(10)));
    expect(Buffer.byteLength(cut, "utf8")).toBeLessThanOrEqual(65_000);
    expect(cut).not.toContain("\uFFFD");
  });

  test("a heading inside of code is no border", () => {
    expect(splitMarkdown("```\n# no\n```\n# yes\na").map(({ title }) => title)).toEqual([
      "",
      "yes",
    ]);
  });
});
