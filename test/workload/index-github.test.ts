/** index and sync over the wire: the real client library against a stand-in for an organisation on GitHub (HB-wrk-02, -06). */
import { afterAll, beforeAll, expect, it } from "vitest";
import { createGitHubSource } from "../../src/adapter/github-source.js";
import { type StandInOrg, startStandInOrg } from "../../src/adapter/stand-in/github-org.js";
import type { JsonObject } from "../../src/base/json.js";
import type { Database } from "../../src/store/database.js";
import { createIndexHandler } from "../../src/workload/handler/index-repos.js";
import { createSyncHandler } from "../../src/workload/handler/sync-repos.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

const TOKEN = "ghp_of-a-person";

let lent: TestDatabase;
let db: Database;
let github: StandInOrg;
let run: (kind: string, payload: JsonObject) => Promise<JsonObject>;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
  github = await startStandInOrg({ org: "acme", token: TOKEN });
  const source = createGitHubSource({
    auth: { kind: "token", token: TOKEN },
    apiUrl: github.url,
    gate: { take: async () => async () => {} },
  });
  const deps = workloadDeps(db, { source });
  const runAny = workloadRunner(deps, [createIndexHandler(deps), createSyncHandler(deps)]);
  run = (kind, payload) =>
    runAny(kind, payload, { now: new Date().toISOString() }) as Promise<JsonObject>;
});
afterAll(async () => {
  await github.close();
  await lent.drop();
});

const ACME = { org_id: "1", org_name: "acme" };

it("indexes 250 repositories, and again costs three unchanged answers and no job", async () => {
  for (let nth = 0; nth < 250; nth++) github.add({ name: `repo-${String(nth).padStart(3, "0")}` });
  expect(await run("index", ACME)).toMatchObject({ found: 250, added: 250, pages: 3 });
  const before = github.requests().length;
  expect(await run("index", ACME)).toMatchObject({
    ...{ found: 250, added: 0, changed: 0, pushed: 0, archived: 0 },
    ...{ pages: 3, pages_unchanged: 3, jobs_enqueued: 0 },
  });
  const again = github.requests().slice(before);
  expect(again).toHaveLength(3);
  for (const one of again) expect(one).toContain("304");
});

it("follows a rename, a move and a deletion in the next run", async () => {
  const idOf = async (name: string) => {
    const { rows } = await db.query<{ id: string }>("SELECT id FROM repos WHERE name = $1", [name]);
    return rows[0]?.id;
  };
  const [renamed, moved, gone] = [
    await idOf("repo-010"),
    await idOf("repo-020"),
    await idOf("repo-030"),
  ];
  github.rename("repo-010", "other");
  github.transfer("repo-020", "umbrella");
  github.remove("repo-030");
  expect(await run("index", ACME)).toMatchObject({ changed: 1, archived: 1, transferred: 1 });
  expect(await idOf("other")).toBe(renamed);
  const { rows } = await db.query("SELECT org, archived_as FROM repos WHERE id = ANY ($1)", [
    [moved, gone],
  ]);
  expect(rows).toHaveLength(2);
  expect(rows).toContainEqual({ org: "umbrella", archived_as: null });
  expect(rows).toContainEqual({ org: "acme", archived_as: "deleted" });
  expect(await run("sync", { repo_id: gone! })).toEqual({ outcome: "gone" });
});

it("fetches a delivery that our door refused", async () => {
  github.log({
    guid: "over-the-wire-0001",
    event: "push",
    at: new Date(),
    status: 503,
    payload: { ref: "refs/heads/main" },
  });
  expect(await run("sync", { org_name: "acme" })).toMatchObject({
    webhooks: { deliveries: 1, missed: 1, recovered: 1 },
  });
  const { rows } = await db.query("SELECT event_type, body FROM control.inbound");
  expect(rows).toEqual([{ event_type: "push", body: { ref: "refs/heads/main" } }]);
});
