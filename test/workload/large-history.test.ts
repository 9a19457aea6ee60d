/** A history of 50,000 commits is read as a stream: the time is seconds, and memory does not follow its length. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { createGit } from "../../src/adapter/git.js";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { createShell } from "../../src/adapter/shell.js";
import { systemClock } from "../../src/base/clock.js";
import { CACHE_DEFAULTS } from "../../src/policy/defaults.js";
import { createWorkload } from "../../src/workload/workload.js";
import { withDatabase } from "../support/database.js";
import {
  addCommits,
  type MadeCommit,
  makeRepository,
  withFolder,
} from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";

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
      const git = createGit(createShell({ redact: (text) => text }));
      const cache = createMemoryCache(systemClock);
      const handlers = new Map(
        createWorkload({ db, git, cache, lifetimes: () => CACHE_DEFAULTS }).map((made) => [
          made.kind,
          made,
        ]),
      );
      await handlers.get("index")!.run(makeContext({ payload: { path } }));
      const { rows } = await db.query<{ id: string }>("SELECT id FROM repos");
      const payload = { repo_id: rows[0]!.id };

      const baseBytes = process.memoryUsage().rss;
      const identity = await handlers.get("identity")!.run(makeContext({ payload }));
      const score = await handlers.get("score")!.run(makeContext({ payload }));
      const grownBytes = process.memoryUsage().rss - baseBytes;

      expect(identity).toMatchObject({ commits: COMMITS, people: PEOPLE, claims: PEOPLE });
      expect(score).toHaveProperty("score");
      expect(grownBytes).toBeLessThan(GROWTH_MAX_BYTES);
    }),
  ));
