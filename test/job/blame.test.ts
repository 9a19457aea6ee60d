import { describe, expect, test } from "vitest";
import { blame, startedAtDeath } from "../../src/job/blame.js";

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

describe("of the jobs of a process without a file have started", () => {
  const job = (seq: number, crashCount = 0, kind = "index") => ({ seq, kind, crashCount });
  const slotsOf = (kind: string) => (kind === "index" ? 2 : 1);
  const startedOf = (held: ReturnType<typeof job>[], beaten: number[], since: number[]) =>
    [...startedAtDeath(held, { beaten: new Set(beaten), since }, slotsOf)].sort();

  test("those that its last beat named, and no other that it had then", () => {
    expect(startedOf([job(1), job(2), job(3)], [2, 9], [])).toEqual([2]);
  });

  test("of those that it took later the first of each type, as far as there were slots", () => {
    const held = [job(1), job(2), job(3), job(4), job(5, 0, "gc"), job(6, 0, "gc")];
    expect(startedOf(held, [], [3, 6, 4, 5, 1, 2])).toEqual([3, 4, 6]);
    expect(startedOf(held, [1], [3, 6, 4, 5])).toEqual([1, 3, 6]);
    expect(startedOf(held, [1, 2], [3, 4])).toEqual([1, 2]);
  });

  test("of those with a charge one, whatever their type", () => {
    const held = [job(1, 1), job(2, 2), job(3), job(4, 1, "gc")];
    expect(startedOf(held, [], [1, 2, 3, 4])).toEqual([1, 3]);
    expect(startedOf(held, [2], [1, 4, 3])).toEqual([2, 3]);
  });
});
