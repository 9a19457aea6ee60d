/** What a person sees who waits for a long job: how far it is, of how much. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { systemClock } from "../../src/base/clock.js";
import type { Git } from "../../src/job/port.js";
import { indexFolder } from "../../src/workload/handler/index-folder.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeContext } from "../support/job-context.js";

let at: TestDatabase;
let folder: string;
beforeAll(async () => {
  at = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "algobrain-progress-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await at.drop();
});

const unasked = () => {
  throw new Error("index asks git for repositories and heads only");
};
const git: Git = {
  listRepositories: async (path) =>
    ["a", "b"].map((name) => ({ path: join(path, name), root: path, name, remote: null })),
  head: async () => ({ commit: "c0ffee", branch: "main" }),
  commits: unasked,
  tags: unasked,
  isAncestor: unasked,
  commitAt: unasked,
  mailmap: unasked,
};

test("index tells the repository it reads", async () => {
  const index = makeContext({ kind: "index", payload: { path: folder } });
  const cache = createMemoryCache(systemClock);
  await indexFolder({ db: at.db, git, cache }, folder, index);
  expect(index.reached).toEqual([
    { fraction: 0, note: "reading a, 0 of 2 read" },
    { fraction: 0.5, note: "reading b, 1 of 2 read" },
    { fraction: 1, note: "2 of 2 read" },
  ]);
});
