import { describe, expect, test } from "vitest";
import { blame } from "../../src/job/blame.js";

describe("the death of a worker is charged to", () => {
  const cases: readonly [string, readonly (readonly [number, number])[], readonly number[]][] = [
    ["nobody when nothing had started", [], []],
    [
      "all that ran when nothing is known of any",
      [
        [1, 0],
        [2, 0],
      ],
      [1, 2],
    ],
    [
      "the one that ran in an earlier death too",
      [
        [1, 0],
        [2, 1],
        [3, 0],
      ],
      [2],
    ],
    [
      "the one with the most deaths of several",
      [
        [1, 1],
        [2, 2],
        [3, 0],
      ],
      [2],
    ],
  ];
  test.each(cases)("%s", (_, started, charged) => {
    const jobs = started.map(([seq, crashCount]) => ({ seq, crashCount }));
    expect([...blame(jobs)]).toEqual(charged);
  });
});
