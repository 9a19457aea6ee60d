import { describe, expect, test } from "vitest";
import { judgeDeployment } from "../../../src/review/infra/deploy-gate.js";

const TAG = "0123456789abcdef0123456789abcdef01234567";
const OTHER = TAG.replace("0", "f");
const GOOD = { tag: TAG, confirm: "deploy", isOnMain: true, staging: { api: TAG, workers: TAG } };

describe("LB-aws-10: what may go to production", () => {
  test("a whole commit with the word, that is on main and that staging runs", () => {
    expect(judgeDeployment(GOOD)).toEqual([]);
  });

  test.each([
    ["a short id", { tag: TAG.slice(0, 7) }, "40 lower-case"],
    ["41 digits", { tag: `${TAG}0` }, "40 lower-case"],
    ["capitals", { tag: TAG.toUpperCase() }, "40 lower-case"],
    ["a name that moves", { tag: "latest" }, "40 lower-case"],
    ["something behind a line break", { tag: `${TAG}\n` }, "40 lower-case"],
    ["another word", { confirm: "Deploy" }, "expected the word deploy"],
    ["no word", { confirm: "" }, "expected the word deploy"],
    ["a branch's commit", { isOnMain: false }, "not on the main branch"],
    ["a history that is not there", { isOnMain: null }, "is not known"],
    [
      "what one service of staging does not run",
      { staging: { api: TAG, workers: OTHER } },
      "staging's workers runs",
    ],
    ["an image by digest", { staging: { api: null } }, "no commit of ours"],
    ["a staging that nobody has seen", { staging: {} }, "nothing is promoted unseen"],
  ])("not %s", (_what, wrong, said) => {
    expect(judgeDeployment({ ...GOOD, ...wrong }).join("\n")).toContain(said);
  });

  test("says everything at once, and of what was typed no more than a line of it", () => {
    const said = judgeDeployment({
      tag: `::error::${"x".repeat(500)}\n`,
      confirm: "no",
      isOnMain: null,
      staging: {},
    });
    expect(said).toHaveLength(3);
    for (const sentence of said) {
      expect(sentence).not.toContain("\n");
      expect(sentence.length).toBeLessThan(200);
    }
  });
});
