import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGit } from "../../src/adapter/git.js";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { createShell } from "../../src/adapter/shell.js";
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import { CACHE_DEFAULTS } from "../../src/policy/defaults.js";
import type { Database } from "../../src/store/database.js";
import { createWorkload } from "../../src/workload/workload.js";
import { withDatabase } from "../support/database.js";
import { makeRepository, withFolder } from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";

const git = createGit(createShell({ redact: (text) => text }));
const cache = createMemoryCache(systemClock);

function runner(db: Database) {
  const handlers = new Map(
    createWorkload({ db, git, cache, lifetimes: () => CACHE_DEFAULTS }).map((handler) => [
      handler.kind,
      handler,
    ]),
  );
  return (kind: string, payload: JsonObject, seq = 1) =>
    handlers.get(kind)!.run(makeContext({ kind, payload, seq }));
}

const range = (start_date: string, end_date: string) => ({
  entity: "scores",
  start_date,
  end_date,
});

describe("backfill", () => {
  it("asks once for each repository and day since its first commit, as children, below live work", () =>
    withFolder((folder) =>
      withDatabase(async (db) => {
        const run = runner(db);
        for (const [name, day] of [
          ["a", "2026-01-03"],
          ["b", "2025-06-01"],
        ])
          await makeRepository(join(folder, name!), [
            { author: "Ada <ada@example.org>", at: `${day}T12:00:00Z` },
          ]);
        await run("index", { path: folder });
        const { rows } = await db.query<{ id: string }>("SELECT id FROM repos");
        for (const { id } of rows) await run("identity", { repo_id: id });
        await db.query("DELETE FROM jobs");

        const days = range("2026-01-01", "2026-01-04");
        expect(await run("backfill", days, 40)).toEqual({ days: 4, children: 6, enqueued: 6 });
        const children = await db.query<{ payload: { repo_id: string; as_of: string } }>(
          "SELECT payload FROM jobs WHERE parent_seq = 40 AND job_type = 'score' AND priority = 1 ORDER BY seq",
        );
        expect(children.rows).toHaveLength(6);
        expect(await run("backfill", days, 41)).toMatchObject({ children: 6, enqueued: 0 });

        for (const { payload } of children.rows.slice(0, 5)) await run("score", { ...payload });
        await db.query("DELETE FROM jobs");
        expect(await run("backfill", days, 42)).toMatchObject({ children: 1, enqueued: 1 });
        const scores = await db.query<{ asOf: string; at: Date }>(
          `SELECT parts ->> 'asOf' AS "asOf", computed_at AS at FROM scores`,
        );
        for (const { asOf, at } of scores.rows) expect(at.toISOString()).toContain(asOf);
      }),
    ));

  it.each([
    ["2026-02-30", "2026-03-01", 'found "2026-02-30", which is not a day of the calendar'],
    ["2026-02-02", "2026-02-01", "found start_date 2026-02-02 after end_date 2026-02-01"],
    [
      "2026-02-02",
      "2099-01-01",
      "found end_date 2099-01-01, which is after today, 2026-06-15 (UTC)",
    ],
  ])("refuses the range %s to %s", (start, end, message) =>
    withDatabase(async (db) => {
      await expect(runner(db)("backfill", range(start, end))).rejects.toMatchObject({
        kind: "data",
        message,
      });
    }),
  );
});
