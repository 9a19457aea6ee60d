import { describe, expect, it } from "vitest";
import type { CommitRecord } from "../../src/job/port.js";
import { WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import type { ReviewFacts } from "../../src/workload/review-health.js";
import { computeScore, formulaName, type Scoring } from "../../src/workload/score-formula.js";
import { readHistoryFacts } from "../../src/workload/score-history.js";

const AS_OF = new Date("2026-06-30T23:59:59.999Z");
const DAY_MS = 86_400_000;
const HEALTH_2 = WORKLOAD_DEFAULTS.scoring;
const HEALTH_1: Scoring = { ...HEALTH_2, formula: "health-1" };

interface Made {
  readonly daysAgo: number;
  readonly who?: string;
  readonly isMerge?: boolean;
}

async function* history(commits: readonly Made[]): AsyncGenerator<CommitRecord> {
  for (const { daysAgo, who = "ada", isMerge = false } of commits)
    yield {
      hash: "0".repeat(40),
      authorName: who,
      authorEmail: `${who}@example.org`,
      authoredAt: new Date(AS_OF.getTime() - daysAgo * DAY_MS),
      isMerge,
      coAuthors: [],
    };
}

interface Further {
  readonly tagDaysAgo?: readonly number[];
  readonly reviews?: ReviewFacts | null;
  readonly scoring?: Scoring;
}

async function score(commits: readonly Made[], further: Further = {}) {
  const { tagDaysAgo = [], reviews = null, scoring = HEALTH_2 } = further;
  const tags = tagDaysAgo.map((days) => ({ at: new Date(AS_OF.getTime() - days * DAY_MS) }));
  const facts = await readHistoryFacts(history(commits), AS_OF);
  return computeScore({ history: facts, tags, reviews, asOf: AS_OF }, scoring);
}

const READ_AT_ONCE: ReviewFacts = { merged: 12, reviewed: 12, hoursToReview: 3 };

describe("the score", () => {
  it.each([HEALTH_1, HEALTH_2])(
    "is 0 for a history that ended long ago, with the reason in its parts ($formula)",
    async (scoring) => {
      const { score: value, parts, formula } = await score([{ daysAgo: 400 }], { scoring });
      expect({ value, formula }).toEqual({ value: 0, formula: scoring.formula });
      expect(parts.freshness?.facts).toEqual({ daysSinceCommit: null });
      expect(parts.busFactor?.facts).toEqual({ busFactor: 0, people365d: 0 });
    },
  );

  it("is 100 for a team that commits each week, reads what it merges and released lately", async () => {
    const people = ["ada", "bob", "cy", "dee", "eve", "fay", "gil"];
    const commits = Array.from({ length: 210 }, (_, at) => ({
      daysAgo: (at * 90) / 210,
      who: people[at % people.length] ?? "",
    }));
    const lately = { tagDaysAgo: [10], reviews: READ_AT_ONCE };
    expect((await score(commits, lately)).score).toBe(100);
    expect((await score(commits, { ...lately, scoring: HEALTH_1 })).score).toBe(100);
    const unread = { ...READ_AT_ONCE, reviewed: 0, hoursToReview: null };
    expect((await score(commits, { ...lately, reviews: unread })).score).toBe(80);
  });

  it("is the weighted sum of its parts, whose weights make 1 even where nothing is merged", async () => {
    for (const reviews of [null, READ_AT_ONCE]) {
      const commits = [{ daysAgo: 3 }, { daysAgo: 40 }];
      const { score: value, parts, leftOut } = await score(commits, { tagDaysAgo: [100], reviews });
      const sum = Object.values(parts).reduce((total, part) => total + part.value * part.weight, 0);
      expect(value).toBeCloseTo(sum, 0.9);
      const weights = Object.values(parts).reduce((total, { weight }) => total + weight, 0);
      expect(weights).toBeCloseTo(1, 5);
      expect(leftOut).toEqual(reviews === null ? ["review"] : []);
    }
  });

  it("knows a bus factor: how few people made half of the commits", async () => {
    const alone = [...Array(9).fill({ daysAgo: 5 }), { daysAgo: 5, who: "bob" }];
    expect((await score(alone)).parts.busFactor?.facts).toEqual({ busFactor: 1, people365d: 2 });
    const even = ["ada", "bob", "cy", "dee"].map((who) => ({ daysAgo: 5, who }));
    expect((await score(even)).parts.busFactor?.facts).toEqual({ busFactor: 2, people365d: 4 });
  });

  it("halves freshness each 90 days after the first week, release each 180 after a month", async () => {
    expect((await score([{ daysAgo: 97.5 }])).parts.freshness?.value).toBe(50);
    const { parts } = await score([{ daysAgo: 1 }], { tagDaysAgo: [210.5] });
    expect(parts.release?.value).toBe(50);
  });

  it("halves the speed of reviews each 3 days after the first, and no more than half is for speed", async () => {
    const review = async (reviews: ReviewFacts) =>
      (await score([{ daysAgo: 1 }], { reviews })).parts.review?.value;
    expect(await review({ merged: 4, reviewed: 4, hoursToReview: 96 })).toBe(75);
    expect(await review({ merged: 4, reviewed: 1, hoursToReview: 1 })).toBe(25);
    expect(await review({ merged: 4, reviewed: 4, hoursToReview: 10_000 })).toBe(50);
  });

  it("takes no account of merges, bots, and what came after the day", async () => {
    const plain = await score([{ daysAgo: 10 }]);
    const noisy = await score(
      [
        { daysAgo: 10 },
        { daysAgo: 1, isMerge: true },
        { daysAgo: 1, who: "release-bot" },
        { daysAgo: -1, who: "bob" },
      ],
      { tagDaysAgo: [-1] },
    );
    expect(noisy).toEqual(plain);
  });

  it("by other weights has another name, the same on every machine, whatever order they are written in", () => {
    const { review, ...rest } = HEALTH_2.weights;
    expect(formulaName({ ...HEALTH_2, weights: { review, ...rest } })).toBe("health-2");
    const weights = { ...rest, activity: 0.3, review: 0.15 };
    expect(formulaName({ ...HEALTH_2, weights })).toMatch(/^health-2\+[0-9a-f]{8}$/);
    expect(formulaName({ ...HEALTH_2, weights })).toBe(
      formulaName({ ...HEALTH_2, weights: { review: 0.15, ...rest, activity: 0.3 } }),
    );
    expect(formulaName({ ...HEALTH_1, weights })).toBe("health-1");
  });
});
