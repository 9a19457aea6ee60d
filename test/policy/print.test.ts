import { describe, expect, it } from "vitest";
import { printFile, printKey, printScalar } from "../../src/policy/print.js";

describe("a printed file", () => {
  it("is block style, with quotes only where they are needed", () => {
    const file = {
      "queue-depth-high": {
        summary: "Jobs wait: longer than they should, by kind.",
        every: "15s",
        by: ["worker_type", "a, b"],
        levels: { high: { op: ">", value: 0.5, id: "AR-06" }, true: {} },
      },
      rules: [
        { role: "viewer", doors: [] },
        { role: "admin", params: { a: [1, { b: null }] } },
      ],
    };
    expect(printFile(file)).toBe(
      [
        "queue-depth-high:",
        '  summary: "Jobs wait: longer than they should, by kind."',
        "  every: 15s",
        '  by: [worker_type, "a, b"]',
        "  levels:",
        "    high:",
        '      op: ">"',
        "      value: 0.5",
        "      id: AR-06",
        "    true: {}",
        "rules:",
        "  - role: viewer",
        "    doors: []",
        "  - role: admin",
        "    params:",
        "      a: [1, { b: null }]",
        "",
      ].join("\n"),
    );
  });

  it("is a map, if only an empty one", () => {
    expect(printFile({})).toBe("{}\n");
    expect(() => printFile(["a"])).toThrow("a policy file holds keys and values");
  });
});

describe("a printed text", () => {
  it.each([
    ["5m", "5m"],
    ["a text, with commas", "a text, with commas"],
    ["#ops", '"#ops"'],
    ["", '""'],
    ["true", '"true"'],
    ["60", '"60"'],
    ["0x1F", '"0x1F"'],
    ["a: b", '"a: b"'],
    ["a\nb", '"a\\nb"'],
    ["\u0085\uFEFF", '"\\u0085\\ufeff"'],
  ])("%j stands as %s", (text, printed) => {
    expect(printScalar(text, false)).toBe(printed);
  });

  it("between brackets gets quotes that it does not need elsewhere", () => {
    expect(printScalar("a, b", true)).toBe('"a, b"');
    expect(printScalar("a]b", false)).toBe("a]b");
    expect(printScalar("a]b", true)).toBe('"a]b"');
    expect(printKey("a: b", false)).toBe('"a: b"');
  });

  it.each([
    [0, "0"],
    [-0, "-0"],
    [0.1, "0.1"],
    [1e-7, "1e-7"],
    [null, "null"],
    [false, "false"],
  ])("a number or a word: %s", (value, printed) => {
    expect(printScalar(value, false)).toBe(printed);
  });
});
