import { describe, expect, it } from "vitest";
import { didYouMean, similarNames } from "../../src/base/similar.js";

const known = ["rerun-job", "queue-depth", "pause-queue", "resume-queue", "inspect-job"];

describe("did you mean", () => {
  it.each([
    ["rerun-jbo", ["rerun-job"]],
    ["rerun", ["rerun-job"]],
    ["pasue-queue", ["pause-queue"]],
    ["Queue-Depth", ["queue-depth"]],
  ])("%s is near %j", (wrong, near) => {
    expect(similarNames(wrong, known)).toEqual(near);
  });

  it("says nothing when nothing is near", () => {
    expect(didYouMean("zzzzzzzzzzzz", known)).toBeUndefined();
  });

  it("makes a sentence", () => {
    expect(didYouMean("rerun-jub", known)).toBe('did you mean "rerun-job"?');
  });

  it("does not choke on a very long name", () => {
    expect(similarNames("x".repeat(1_000_000), known)).toEqual([]);
  });
});
