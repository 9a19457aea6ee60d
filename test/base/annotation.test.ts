/** Problems as GitHub's workflow commands: ten, the rest counted, and no text that could end a command. */
import { describe, expect, it } from "vitest";
import { annotationsOf } from "../../src/base/annotation.js";
import type { Problem } from "../../src/base/problem.js";

const problem = (overrides: Partial<Problem> = {}): Problem => ({
  ...{ file: "policies/a.yaml", line: 9, column: 14 },
  message: "found 95, expected a fraction from 0 to 1",
  hint: "write 0.95",
  ...overrides,
});

describe("annotations", () => {
  it("stand beside the line, with the hint", () => {
    expect(annotationsOf([problem()], "policy")).toEqual([
      "::error file=policies/a.yaml,line=9,col=14,title=policy::found 95, expected a fraction from 0 to 1 (write 0.95)",
    ]);
  });

  it("of a whole file have no line, and come first", () => {
    const whole = problem({
      file: "b.yaml",
      line: 0,
      column: 0,
      message: "is missing",
      hint: undefined,
    });
    expect(annotationsOf([problem(), whole], "policy")[0]).toBe(
      "::error file=b.yaml,title=policy::is missing",
    );
  });

  it("let no text of a branch become a command", () => {
    const [line, ...more] = annotationsOf(
      [problem({ file: "a,b:c%.yaml", message: "100%\r\n::error::x", hint: undefined })],
      "a:b",
    );
    expect(more).toEqual([]);
    expect(line).toBe(
      "::error file=a%2Cb%3Ac%25.yaml,line=9,col=14,title=a%3Ab::100%25%0D%0A::error::x",
    );
  });

  it.each([
    [10, 10, undefined],
    [11, 11, "::notice title=policy::1 more problem is in the log"],
    [44, 11, "::notice title=policy::34 more problems are in the log"],
  ])("of %i problems are %i", (count, lines, last) => {
    const said = annotationsOf(
      Array.from({ length: count }, (_, at) => problem({ line: at + 1 })),
      "policy",
    );
    expect(said).toHaveLength(lines);
    expect(said.filter((line) => line.startsWith("::error "))).toHaveLength(10);
    if (last !== undefined) expect(said.at(-1)).toBe(last);
  });
});
