/**
 * ingest of every example that GitHub's own tools ship (@octokit/webhooks-examples): whatever comes is kept once,
 * in whatever order it comes (HB-wrk-05).
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { Database } from "../../src/store/database.js";
import { addTombstones, ensurePrivacyKey } from "../../src/store/forgotten.js";
import { tombstoneDigest } from "../../src/workload/forgotten.js";
import { createIngestHandler } from "../../src/workload/handler/ingest-delivery.js";
import { recordRepos } from "../../src/workload/record-repos.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeSourceRepo } from "../support/fake-source.js";
import { holdJob } from "../support/held-job.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

interface Example {
  readonly id: string;
  readonly event: string;
  readonly body: JsonObject;
}

const EXAMPLES: readonly Example[] = readExamples();

function readExamples(): Example[] {
  const path = "../../node_modules/@octokit/webhooks-examples/api.github.com/index.json";
  const kinds = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as {
    readonly name: string;
    readonly examples: readonly JsonObject[];
  }[];
  return kinds.flatMap(({ name, examples }) =>
    examples.map((body, at) => ({ id: `example-${name}-${at}`, event: name, body })),
  );
}

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
  // Two that are held: most of the examples speak of them.
  const held = [
    makeSourceRepo(186853002, { owner: "Codertocat", name: "Hello-World" }),
    makeSourceRepo(186853261, { owner: "Octocoders", name: "Hello-World" }),
  ];
  await recordRepos(workloadDeps(db), held, new Date("2026-01-01"), { seq: 1, id: "job-1" });
  await db.query("DELETE FROM jobs");
});
afterAll(() => lent.drop());

const RECEIVED = "2026-06-15T12:00:00Z";

async function deliver(examples: readonly Example[]): Promise<void> {
  await db.query(
    `INSERT INTO control.inbound (source, delivery_id, event_type, body, received_at)
     SELECT 'github', id, event, body, $2 FROM jsonb_to_recordset($1::jsonb) AS e(id text, event text, body jsonb)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(examples), RECEIVED],
  );
}

/** Several at a time, as the slots of a worker do. */
async function ingest(examples: readonly Example[]): Promise<JsonObject[]> {
  const deps = workloadDeps(db);
  const run = workloadRunner(deps, [createIngestHandler(deps)]);
  const results: JsonObject[] = [];
  const open = examples.values();
  const slot = async () => {
    for (const { id } of open)
      results.push((await run("ingest", { delivery_id: id })) as JsonObject);
  };
  await Promise.all(Array.from({ length: 8 }, slot));
  return results;
}

/** Rows as they are, but for the numbers and times that each run gives anew. */
async function state() {
  const rows = async (statement: string) => (await db.query(statement)).rows;
  return {
    events: await rows(
      `SELECT delivery_id, event_type, repo_id, occurred_at, md5(payload::text) AS payload
       FROM events ORDER BY delivery_id`,
    ),
    repos: await rows("SELECT * FROM repos ORDER BY id"),
    sources: await rows("SELECT * FROM control.repo_source ORDER BY repo_id"),
    aliases: await rows("SELECT canonical, repo_id FROM control.repo_alias ORDER BY canonical"),
    jobs: await rows("SELECT job_type, unique_key FROM jobs ORDER BY unique_key"),
  };
}

describe("every example of a webhook", () => {
  it("becomes one event, twice delivered and in reversed order too", async () => {
    expect(EXAMPLES).toHaveLength(329);
    await deliver(EXAMPLES);
    const first = await ingest(EXAMPLES);
    expect(first.every(({ event }) => event === "stored")).toBe(true);
    const once = await state();
    expect(once.events).toHaveLength(329);
    const { rows: altered } = await db.query(
      `SELECT delivery_id FROM events JOIN control.inbound USING (delivery_id) WHERE payload <> body`,
    );
    expect(altered).toEqual([]);

    await deliver(EXAMPLES);
    const again = await ingest(EXAMPLES);
    expect(again.every(({ event, sync }) => event === "known" && sync === null)).toBe(true);
    expect(await state()).toEqual(once);

    await db.query("DELETE FROM events");
    await db.query("DELETE FROM jobs");
    await ingest([...EXAMPLES].reverse());
    expect(await state()).toEqual(once);
  });

  it("asks for sync and score of what is held, each once, and of nothing else", async () => {
    const { rows } = await db.query<{ unique_key: string; delayed: boolean }>(
      `SELECT unique_key, scheduled_at > '2026-06-15T12:04:00Z' AS delayed FROM jobs ORDER BY unique_key`,
    );
    const { rows: repos } = await db.query<{ id: string }>("SELECT id FROM repos ORDER BY id");
    expect(rows.filter(({ unique_key }) => unique_key.startsWith("sync:"))).toEqual(
      repos.map(({ id }) => expect.objectContaining({ unique_key: `sync:${id}` })),
    );
    const [score, ...others] = rows.filter(({ unique_key }) => unique_key.startsWith("score:"));
    expect(score).toMatchObject({ delayed: true });
    expect(others.length).toBeLessThanOrEqual(1);
  });

  it("has a credible time: none later than it came, none of an author's clock", async () => {
    const { rows } = await db.query<{ event_type: string; at: Date }>(
      "SELECT event_type, occurred_at AS at FROM events",
    );
    for (const { event_type, at } of rows) {
      expect(at <= new Date(RECEIVED), event_type).toBe(true);
      expect(at.getUTCFullYear(), event_type).toBeGreaterThanOrEqual(2008);
    }
  });

  it("is known by name: each settles as stored, and what GitHub invents tomorrow is kept too", async () => {
    const news = { id: "example-tomorrow", event: "quantum_leap", body: { leap: [1, null] } };
    await deliver([news]);
    await ingest([news]);
    const { rows } = await db.query(
      `SELECT outcome, count(*)::int AS count FROM control.inbound GROUP BY outcome ORDER BY outcome`,
    );
    expect(rows).toEqual([
      { outcome: "stored", count: 329 },
      { outcome: "stored, kind unknown", count: 1 },
    ]);
    const { rows: kept } = await db.query("SELECT payload FROM events WHERE delivery_id = $1", [
      news.id,
    ]);
    expect(kept).toEqual([{ payload: news.body }]);
  });
});

describe("an event that comes late", () => {
  const push = (id: string, name: string): Example => ({
    ...{ id, event: "push" },
    body: { repository: { id: 77, clone_url: `https://github.com/acme/${name}` } },
  });

  it("finds a copy in a folder under the name that a rename has given it since", async () => {
    const repoId = "repo-of-a-folder";
    await db.query("INSERT INTO repos (id, name, location) VALUES ($1, 'old', '/srv/old')", [
      repoId,
    ]);
    await db.query("INSERT INTO control.repo_alias (canonical, repo_id) VALUES ($1, $2)", [
      "github.com/acme/old",
      repoId,
    ]);
    const { body } = push("-", "new");
    const changes = { repository: { name: { from: "old" } } };
    const renamed = {
      ...{ id: "late-1", event: "repository" },
      body: { ...body, action: "renamed", changes },
    };
    const late = [renamed, push("late-2", "new"), push("late-3", "old")];
    await deliver(late);
    for (const one of late) expect(await ingest([one])).toMatchObject([{ repo_id: repoId }]);
  });

  it("says nothing of a person who was forgotten", async () => {
    const key = await ensurePrivacyKey(db);
    const digest = tombstoneDigest(key, "login", "mallory");
    const asked = { request: "T-1", jobSeq: 1 };
    await db.transaction((tx) => addTombstones(tx, [{ kind: "login", digest }], asked));
    const sender = { login: "Mallory", id: 5, type: "User" };
    const body: JsonObject = { ...push("-", "new").body, sender };
    const event = { id: "late-forgotten", event: "push", body };
    await deliver([event]);
    await ingest([event]);
    const { rows } = await db.query<{ payload: JsonObject }>(
      "SELECT payload FROM events WHERE delivery_id = 'late-forgotten'",
    );
    expect(JSON.stringify(rows[0]!.payload)).not.toMatch(/mallory/i);
    expect(rows[0]!.payload.repository).toEqual(body.repository);
  });

  it("asks anew while the job that it would have asked for runs already", async () => {
    const { rows } = await db.query<{ seq: number; id: string }>(
      "SELECT seq, id FROM jobs WHERE unique_key = 'sync:repo-of-a-folder'",
    );
    await holdJob(db, rows[0]!.seq);
    await deliver([push("late-4", "new")]);
    const [result] = await ingest([push("late-4", "new")]);
    expect(result!.sync).toMatch(/^job-\d+$/);
    expect(result!.sync).not.toBe(rows[0]!.id);
  });
});
