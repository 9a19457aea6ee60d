import { describe, expect, it } from "vitest";
import type { CommitRecord } from "../../src/job/port.js";
import { computeScore, readHistoryFacts } from "../../src/workload/score-formula.js";

const AS_OF = new Date("2026-06-30T23:59:59.999Z");
const DAY_MS = 86_400_000;

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

async function score(commits: readonly Made[], tagDaysAgo: readonly number[] = []) {
  const tags = tagDaysAgo.map((days) => ({ at: new Date(AS_OF.getTime() - days * DAY_MS) }));
  return computeScore(await readHistoryFacts(history(commits), AS_OF), tags, AS_OF);
}

describe("the score", () => {
  it("is 0 for a history that ended long ago, with the reason in its parts", async () => {
    const { score: value, parts, formula } = await score([{ daysAgo: 400 }]);
    expect({ value, formula }).toEqual({ value: 0, formula: "health-1" });
    expect(parts.freshness.facts).toEqual({ daysSinceCommit: null });
    expect(parts.busFactor.facts).toEqual({ busFactor: 0, people365d: 0 });
  });

  it("is 100 for a team that commits each week and released lately", async () => {
    const people = ["ada", "bob", "cy", "dee", "eve", "fay", "gil"];
    const commits = Array.from({ length: 210 }, (_, at) => ({
      daysAgo: (at * 90) / 210,
      who: people[at % people.length] ?? "",
    }));
    expect((await score(commits, [10])).score).toBe(100);
  });

  it("is the weighted sum of its parts", async () => {
    const { score: value, parts } = await score([{ daysAgo: 3 }, { daysAgo: 40 }], [100]);
    const sum = Object.values(parts).reduce((total, part) => total + part.value * part.weight, 0);
    expect(value).toBeCloseTo(sum, 1);
    expect(Object.values(parts).reduce((total, { weight }) => total + weight, 0)).toBeCloseTo(1);
  });

  it("knows a bus factor: how few people made half of the commits", async () => {
    const alone = [...Array(9).fill({ daysAgo: 5 }), { daysAgo: 5, who: "bob" }];
    expect((await score(alone)).parts.busFactor.facts).toEqual({ busFactor: 1, people365d: 2 });
    const even = ["ada", "bob", "cy", "dee"].map((who) => ({ daysAgo: 5, who }));
    expect((await score(even)).parts.busFactor.facts).toEqual({ busFactor: 2, people365d: 4 });
  });

  it("halves freshness each 90 days after the first week, and release each 180 after a month", async () => {
    expect((await score([{ daysAgo: 97.5 }])).parts.freshness.value).toBe(50);
    expect((await score([{ daysAgo: 1 }], [210.5])).parts.release.value).toBe(50);
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
      [-1],
    );
    expect(noisy).toEqual(plain);
  });
});
