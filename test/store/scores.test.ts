import { describe, expect, it } from "vitest";
import { listScoredDays, type NewScore, putScore } from "../../src/store/scores.js";
import { withDatabase } from "../support/database.js";

function makeScore(change: Partial<NewScore> = {}): NewScore {
  return {
    repoId: "r1",
    score: 50,
    formula: "health-1",
    commit: "c1",
    asOf: "2026-01-10",
    parts: { activity: { value: 50 } },
    computedAt: new Date("2026-01-10T12:00:00Z"),
    ...change,
  };
}

describe("scores", () => {
  it("keep one row a repository, commit, formula and day; again refreshes its time", () =>
    withDatabase(async (db) => {
      await putScore(db, makeScore());
      await putScore(db, makeScore({ computedAt: new Date("2026-01-10T18:00:00Z") }));
      await putScore(db, makeScore({ commit: "c2" }));
      await putScore(db, makeScore({ asOf: "2026-01-11" }));
      const { rows } = await db.query("SELECT commit, parts, computed_at FROM scores ORDER BY id");
      expect(rows).toHaveLength(3);
      expect(rows[0]).toEqual({
        commit: "c1",
        parts: { asOf: "2026-01-10", activity: { value: 50 } },
        computed_at: new Date("2026-01-10T18:00:00Z"),
      });
    }));

  it("stay one row when two jobs compute the same at once", () =>
    withDatabase(async (db) => {
      await Promise.all(Array.from({ length: 5 }, () => putScore(db, makeScore())));
      const { rows } = await db.query("SELECT FROM scores");
      expect(rows).toHaveLength(1);
    }));

  it("tell the days of a range that they cover, of the repositories that are asked for", () =>
    withDatabase(async (db) => {
      for (const asOf of ["2026-01-09", "2026-01-10", "2026-01-12"])
        await putScore(db, makeScore({ asOf }));
      await putScore(db, makeScore({ commit: "c2" }));
      await putScore(db, makeScore({ formula: "older" }));
      await putScore(db, makeScore({ repoId: "r2" }));
      const range = { formula: "health-1", firstDay: "2026-01-10", lastDay: "2026-01-12" };
      expect(await listScoredDays(db, { ...range, repoIds: ["r1", "r3"] })).toEqual(
        new Map([["r1", new Set(["2026-01-10", "2026-01-12"])]]),
      );
    }));
});
