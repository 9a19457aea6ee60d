/** The real program at real work that any test can repeat: a repository, scored on each of many days. */
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { readIndexEvidence } from "../../src/store/evidence.js";
import { enqueueJob, enqueueJobs } from "../../src/store/jobs.js";
import { withDatabase } from "./database.js";
import { makeRepository, withFolder } from "./git-repository.js";
import { type ReadyService, type ServiceOptions, startService, stopService } from "./service.js";
import { findServer, withHome } from "./service-home.js";
import { until } from "./until.js";

const DAY_MS = 86_400_000;

export interface GroundOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** On the server of the test run: for tests in which nothing happens to the server itself. */
  readonly sharesServer?: boolean;
}

export interface Ground {
  readonly home: string;
  readonly db: Database;
  readonly repoId: string;
  /** The service of this moment. */
  readonly service: () => ReadyService;
  /** As a platform does it: the same command again. */
  readonly restart: () => Promise<void>;
}

/** The program on a database of its own, with one small repository indexed. */
export async function withGround(
  test: (ground: Ground) => Promise<void>,
  options: GroundOptions = {},
): Promise<void> {
  await withHome((home) =>
    options.sharesServer
      ? withDatabase((_db, url) => withService(test, { home, env: options.env, databaseUrl: url }))
      : withService(test, { home, env: options.env }),
  );
}

async function withService(
  test: (ground: Ground) => Promise<void>,
  options: ServiceOptions,
): Promise<void> {
  const { home } = options;
  await withFolder(async (folder) => {
    let service = await startService(options);
    const url = options.databaseUrl ?? findServer(home)!.url;
    const db = openDatabase({ url, poolMax: 3, applicationName: "test", ssl: false });
    try {
      const repoId = await indexRepository(db, folder);
      await test({
        ...{ home, db, repoId },
        service: () => service,
        restart: async () => {
          service = await startService(options);
        },
      });
    } finally {
      await db.close();
      await stopService(service);
    }
  });
}

async function indexRepository(db: Database, folder: string): Promise<string> {
  const path = await makeRepository(join(folder, "widgets"), [
    // Before all days that are scored: a day before the first commit has no score.
    { author: "Ada Lovelace <ada@example.org>", at: "2020-01-05T09:00:00Z" },
    { author: "Ada Lovelace <ada@example.org>", at: "2026-01-05T09:00:00Z" },
    { author: "Bob Stone <bob@example.org>", at: "2026-02-05T09:00:00Z" },
  ]);
  await enqueueJob(db, { kind: "index", payload: { path } });
  const evidence = await until(async () => {
    const seen = await readIndexEvidence(db, path);
    return seen && seen.people === 2 && seen.score !== null && seen;
  }, "the repository is indexed");
  return evidence.repoId;
}

/** The score of the repository on each of the last days: real reading, calculating and writing. */
export async function enqueueScores(db: Database, repoId: string, count: number): Promise<void> {
  const today = systemClock.now().getTime();
  const jobs = Array.from({ length: count }, (_, day) => ({
    kind: "score",
    payload: { repo_id: repoId, as_of: new Date(today - day * DAY_MS).toISOString().slice(0, 10) },
  }));
  await enqueueJobs(db, jobs);
}

/** Tolerates the moments in which the database itself is away. */
export function ask<Row extends object>(db: Database, sql: string, values: unknown[] = []) {
  return until(
    () =>
      db.query<Row>(sql, values).then(
        ({ rows }) => rows,
        () => null,
      ),
    `an answer to ${sql}`,
  );
}

export async function passed(db: Database, count: number): Promise<void> {
  await until(
    async () => (await countCompleted(db)) >= count,
    `${count} jobs are completed`,
    90_000,
  );
}

/** Scores. */
export async function countCompleted(db: Database): Promise<number> {
  const [row] = await ask<{ count: number }>(
    db,
    "SELECT count(*) AS count FROM jobs WHERE job_type = 'score' AND status = 'completed'",
  );
  return row!.count;
}

/** Nothing waits or runs any more, however it ended. */
export async function allDone(db: Database): Promise<void> {
  await until(
    async () =>
      (await ask(db, "SELECT FROM jobs WHERE status IN ('pending', 'running')")).length === 0,
    "no job waits or runs",
    90_000,
  );
}
