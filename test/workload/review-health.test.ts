import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReviewEvent } from "../../src/store/review-events.js";
import { reviewFacts } from "../../src/workload/review-health.js";

const PULL = { pull: "7", author: "ada", authorType: "User", openedAt: "2026-06-01T00:00:00Z" };
const NOBODY = { reviewer: null, reviewerType: null };

const merge = (over: Partial<ReviewEvent> = {}): ReviewEvent => ({
  ...{ kind: "merge", ...PULL, ...NOBODY, at: "2026-06-10T00:00:00Z" },
  ...over,
});
const review = (over: Partial<ReviewEvent> = {}): ReviewEvent => ({
  ...{ kind: "review", ...PULL, reviewer: "bob", reviewerType: "User" },
  ...{ at: "2026-06-02T00:00:00Z" },
  ...over,
});

describe("reviews", () => {
  it("are not spoken of where no person merged anything", () => {
    expect(reviewFacts([])).toBeNull();
    expect(reviewFacts([review()])).toBeNull();
    expect(reviewFacts([merge({ authorType: "Bot" })])).toBeNull();
    expect(reviewFacts([merge({ author: "dependabot[bot]" })])).toBeNull();
  });

  it("count once for each pull request, from when it was opened to when another first read it", () => {
    const events = [
      merge(),
      review({ at: "2026-06-03T00:00:00Z" }),
      review(),
      merge({ pull: "8" }),
    ];
    expect(reviewFacts(events)).toEqual({ merged: 2, reviewed: 1, hoursToReview: 24 });
  });

  it.each<[string, Partial<ReviewEvent>]>([
    ["its own author", { reviewer: "ada" }],
    ["a bot", { reviewer: "lint", reviewerType: "Bot" }],
    ["a bot by its name", { reviewer: "renovate[bot]" }],
    ["somebody after the merge", { at: "2026-06-11T00:00:00Z" }],
    ["somebody before it was opened", { at: "2026-05-11T00:00:00Z" }],
    ["nobody that could be read", { reviewer: null }],
    ["somebody at no time", { at: "yesterday" }],
    ["somebody of another pull request", { pull: "9" }],
  ])("by %s are none", (_, over) => {
    expect(reviewFacts([merge(), review(over)])).toMatchObject({ merged: 1, reviewed: 0 });
  });

  it("have the lower of two medians, and none without a review", () => {
    const two = ["7", "8"].flatMap((pull, at) => [
      merge({ pull }),
      review({ pull, at: `2026-06-0${2 + at}T00:00:00Z` }),
    ]);
    expect(reviewFacts(two)?.hoursToReview).toBe(24);
    expect(reviewFacts([merge()])?.hoursToReview).toBeNull();
  });

  it("say the same in whatever order the events came, and however often", () => {
    const events = [
      ...["1", "2", "3"].map((pull) => merge({ pull })),
      merge({ pull: "1", at: "2026-06-12T00:00:00Z" }),
      ...["1", "2"].map((pull) => review({ pull })),
      review({ pull: "1", reviewer: "cy", at: "2026-06-11T00:00:00Z" }),
    ];
    const said = reviewFacts(events);
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...events, ...events], { minLength: 2 * events.length }),
        (shuffled) => {
          expect(reviewFacts(shuffled)).toEqual(said);
        },
      ),
      { numRuns: 50 },
    );
  });
});
