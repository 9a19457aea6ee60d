/** A history of 50,000 commits is read as a stream: the time is seconds, and memory does not follow its length. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { withDatabase } from "../support/database.js";
import {
  addCommits,
  type MadeCommit,
  makeRepository,
  withFolder,
} from "../support/git-repository.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

const COMMITS = 50_000;
const PEOPLE = 400;
/** Measured: 3 to 7 MB. Holding every record, or the text of the log, would take well over 40. */
const GROWTH_MAX_BYTES = 40 * 1024 * 1024;

function* generate(): Generator<MadeCommit> {
  const startMs = Date.parse("2020-01-01T00:00:00Z");
  for (let at = 0; at < COMMITS; at++) {
    const who = (at * 7919) % PEOPLE;
    yield {
      author: `Person Number${"abcdefghij"[who % 10]} ${who} <person${who}@example.org>`,
      at: new Date(startMs + at * 4_000_000).toISOString(),
    };
  }
}

it("identity and score of 50,000 commits take seconds and bounded memory", () =>
  withFolder((folder) =>
    withDatabase(async (db) => {
      const path = await makeRepository(join(folder, "large"), []);
      await addCommits(path, generate());
      const run = workloadRunner(workloadDeps(db));
      await run("index", { path });
      const { rows } = await db.query<{ id: string }>("SELECT id FROM repos");
      const payload = { repo_id: rows[0]!.id };

      const baseBytes = process.memoryUsage().rss;
      const identity = await run("identity", payload);
      const score = await run("score", payload);
      const grownBytes = process.memoryUsage().rss - baseBytes;

      expect(identity).toMatchObject({ commits: COMMITS, people: PEOPLE, claims: PEOPLE });
      expect(score).toHaveProperty("score");
      expect(grownBytes).toBeLessThan(GROWTH_MAX_BYTES);
    }),
  ));
