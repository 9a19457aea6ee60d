import { describe, expect, it } from "vitest";
import { findUnstorable } from "../../src/base/storable.js";
import { parseJsonBody } from "../../src/web/body.js";
import type { HttpProblem } from "../../src/web/problem.js";

const parse = (text: string) => parseJsonBody(Buffer.from(text));

function problemOf(bytes: string | Buffer): HttpProblem {
  try {
    parseJsonBody(Buffer.from(bytes));
  } catch (error) {
    return error as HttpProblem;
  }
  throw new Error("the body was accepted");
}

describe("a JSON body", () => {
  it("is read as it is, and an empty one is no body", () => {
    expect(parse('{"a":[1,"é😀",null]}')).toEqual({ a: [1, "é😀", null] });
    expect(parse("")).toBeUndefined();
  });

  it.each([
    ["{", "an open brace"],
    ["a=1", "a form"],
    ["\ufeff\u0000", "NUL"],
    ['{"a":1}}', "a brace too many"],
  ])("%j is malformed", (text) => {
    expect(problemOf(text)).toMatchObject({ code: "malformed-json", statusCode: 400 });
  });

  it("with a key that stands twice is refused by its name: which of them was meant nobody can tell", () => {
    const text = '{"payload":{"force":false,"\\u0066orce":true}}';
    expect(problemOf(text)).toMatchObject({
      ...{ code: "malformed-request", statusCode: 400 },
      message: 'The body holds the key "force" twice in one object: leave one of them out.',
    });
  });

  it("that is not UTF-8 is malformed, not silently mended", () => {
    expect(problemOf(Buffer.from([0x22, 0xff, 0x22]))).toMatchObject({ code: "malformed-json" });
  });

  it.each([
    ['{"a":{"b/c":"x\\u0000y"}}', "/a/b~1c", "U+0000"],
    ['{"a\\u0000":1}', "/a\\u0000", "U+0000"],
    ['["\\ud83d"]', "/0", "surrogate"],
    ['{"\\ude00":1}', "/\\ude00", "surrogate"],
    ['{"payload":{"__proto__":{"admin":true}}}', "/payload/__proto__", "__proto__"],
    ['{"constructor":{"prototype":{}}}', "/constructor", "constructor"],
    ["[1e999]", "/0", "out of range"],
  ])("%s is refused with the place %s", (text, pointer, message) => {
    expect(problemOf(text)).toMatchObject({
      code: "invalid-body",
      statusCode: 422,
      errors: [{ pointer, message: expect.stringContaining(message) }],
    });
  });

  it.each(["[", '{"a":'])(
    "nested 100,000 deep with %s is refused without a stack overflow",
    (open) => {
      const close = open === "[" ? "]" : "}";
      const text = `${open.repeat(100_000)}1${close.repeat(100_000)}`;
      expect(problemOf(text)).toMatchObject({ code: "invalid-body" });
    },
  );

  it("tells twenty findings at most", () => {
    expect(findUnstorable(Array.from({ length: 1_000 }, () => "\u0000"))).toHaveLength(20);
  });
});
