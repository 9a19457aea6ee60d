/** sync with GitHub: one repository, an owner, all that is known (HB-wrk-06); and deliveries that did not arrive. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { Database } from "../../src/store/database.js";
import { findGithubDelivery, recordGithubDelivery } from "../../src/store/github-deliveries.js";
import { createIndexHandler } from "../../src/workload/handler/index-repos.js";
import { createIngestHandler } from "../../src/workload/handler/ingest-delivery.js";
import { createSyncHandler } from "../../src/workload/handler/sync-repos.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { createFakeSource, type FakeDelivery, makeSourceRepo } from "../support/fake-source.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());

let scenes = 0;
/** A host and an owner of its own for each test. */
function scene(withAccess = true) {
  const number = ++scenes;
  const source = createFakeSource(`git-${number}.example.org`);
  const owner = `acme-${number}`;
  const deps = workloadDeps(db, { source: withAccess ? source : null });
  const handlers = [createIndexHandler(deps), createSyncHandler(deps), createIngestHandler(deps)];
  const runAny = workloadRunner(deps, handlers);
  let minute = 0;
  const run = (kind: string, payload: JsonObject = {}) =>
    runAny(kind, payload, {
      now: new Date(Date.UTC(2026, 5, 15, 12, minute++)).toISOString(),
    }) as Promise<JsonObject>;
  const index = async (...ids: number[]) => {
    source.add(...ids.map((id) => makeSourceRepo(id, { host: source.host, owner })));
    await run("index", { org_id: "1", org_name: owner });
    const { rows } = await db.query<{ id: string }>(
      "SELECT repo_id AS id FROM control.repo_source WHERE host = $1 ORDER BY github_id",
      [source.host],
    );
    await db.query("DELETE FROM jobs");
    return rows.map(({ id }) => id);
  };
  return { source, owner, run, index };
}

async function waiting(): Promise<string[]> {
  const { rows } = await db.query<{ key: string }>(
    "SELECT coalesce(unique_key, job_type) AS key FROM jobs WHERE status = 'pending' ORDER BY seq",
  );
  return rows.map(({ key }) => key);
}

describe("sync of one repository", () => {
  it("asks GitHub once by its id, and for people and score after a push", async () => {
    const { source, run, index } = scene();
    const [id] = (await index(1)) as [string];
    await db.query("INSERT INTO scores (repo_id, score) VALUES ($1, 1)", [id]);
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "unchanged" });
    source.repos.set(1, { ...source.repos.get(1)!, pushedAt: new Date("2026-06-15T00:00:00Z") });
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "pushed" });
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "unchanged" });
    expect(await waiting()).toEqual([`identity:${id}`, `score:${id}`]);
    expect(source.asked.filter((one) => one === "repo 1")).toHaveLength(3);
  });

  it("follows a rename, a move and a deletion, each told once", async () => {
    const { source, run, index } = scene();
    const [id] = (await index(1)) as [string];
    source.rename(1, { name: "renamed" });
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "changed" });
    source.rename(1, { owner: "umbrella" });
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "moved" });
    source.repos.delete(1);
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "gone" });
    expect(await run("sync", { repo_id: id })).toEqual({ outcome: "gone" });
    const { rows } = await db.query("SELECT name, org, archived_as FROM repos WHERE id = $1", [id]);
    expect(rows).toEqual([{ name: "renamed", org: "umbrella", archived_as: "deleted" }]);
  });

  it("says what is missing: the repository, a copy of it, access to GitHub", async () => {
    const { run } = scene();
    await expect(run("sync", { repo_id: "nobody" })).rejects.toMatchObject({
      ...{ kind: "data", code: "REPO_UNKNOWN" },
    });
    await db.query("INSERT INTO repos (id, name) VALUES ('bare', 'bare')");
    await expect(run("sync", { repo_id: "bare" })).rejects.toMatchObject({
      ...{ kind: "data", code: "REPO_NOT_LOCAL" },
    });
    const [id] = (await scene().index(1)) as [string];
    const without = scene(false);
    const asked: JsonObject[] = [{ repo_id: id }, { org_name: "acme" }];
    for (const payload of asked)
      await expect(without.run("sync", payload)).rejects.toMatchObject({
        ...{ kind: "refused", code: "GITHUB_NOT_CONFIGURED" },
      });
  });
});

describe("sync of all", () => {
  it("follows a repository to its new owner, but nobody else's", async () => {
    const { source, owner, run, index } = scene();
    const [id] = (await index(1, 2)) as [string, string];
    source.rename(1, { owner: "umbrella" });
    source.add(makeSourceRepo(3, { host: source.host, owner: "umbrella" }));
    expect(await run("sync", { org_name: owner })).toMatchObject({ transferred: 1 });
    await db.query("DELETE FROM jobs");
    expect(await run("sync")).toMatchObject({ owners: 1 });
    expect(await waiting()).toEqual([`sync:owner:${owner}`, `sync:${id}`]);
    await db.query("DELETE FROM jobs");
  });

  it("asks for each owner that is known, once", async () => {
    const { source, owner, run, index } = scene();
    await index(1);
    source.add(makeSourceRepo(2, { host: source.host, owner: "Other" }));
    await run("index", { org_id: "2", org_name: "other" });
    await db.query("DELETE FROM jobs");
    for (let time = 1; time <= 2; time++)
      expect(await run("sync")).toMatchObject({ unchanged: 0, owners: 2 });
    expect(await waiting()).toEqual([`sync:owner:${owner}`, "sync:owner:other"]);
    expect(await run("sync", { org_name: "OTHER" })).toMatchObject({ found: 1, added: 0 });
  });

  it("without access to GitHub looks at copies alone", async () => {
    expect(await scene(false).run("sync")).toMatchObject({ moved: 0, owners: 0 });
  });
});

const MINUTE_MS = 60_000;
/** Older ones have the higher ordinal. */
function logged(ordinal: number, change: Partial<FakeDelivery> = {}): FakeDelivery {
  return {
    id: 1_000_000 - ordinal,
    guid: `scene-${scenes}-delivery-${ordinal}`,
    event: "push",
    at: new Date(Date.UTC(2026, 5, 15, 11) - ordinal * MINUTE_MS),
    status: 503,
    body: { ordinal },
    ...change,
  };
}

async function arrived(prefix: string) {
  const { rows } = await db.query<{ delivery_id: string }>(
    "SELECT delivery_id FROM control.inbound i WHERE starts_with(delivery_id, $1) ORDER BY i.id",
    [prefix],
  );
  return rows.map(({ delivery_id }) => delivery_id);
}

describe("deliveries that did not arrive", () => {
  it("are fetched once each after an hour of failures, and become events", async () => {
    const { source, owner, run, index } = scene();
    await index(1);
    const hour = Array.from({ length: 60 }, (_, ordinal) => logged(ordinal));
    const fine = logged(60, { status: 202 });
    const redelivered = logged(61, { guid: hour[5]!.guid, status: 202 });
    source.log = [redelivered, ...hour, fine];
    source.pageSize = 25;
    const webhooks = { deliveries: 62, missed: 59, recovered: 59, lost: 0, log_cut: false };
    expect(await run("sync", { org_name: owner })).toMatchObject({ webhooks });
    const keys = await waiting();
    expect(keys.filter((key) => key === "ingest")).toHaveLength(59);
    const ids = await arrived(`scene-${scenes}-`);
    expect(ids).toEqual(
      hour
        .filter(({ guid }) => guid !== redelivered.guid)
        .map(({ guid }) => guid)
        .reverse(),
    );
    for (const id of ids) await run("ingest", { delivery_id: id });

    const again = { missed: 0, recovered: 0, lost: 0, log_cut: false };
    expect(await run("sync", { org_name: owner })).toMatchObject({ webhooks: again });
    const { rows } = await db.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM events WHERE delivery_id = ANY ($1)",
      [ids],
    );
    expect(rows[0]!.count).toBe(59);
  });

  it("are not fetched when they arrived after all, nor later when they are events already", async () => {
    const { source, owner, run } = scene();
    source.log = [logged(1), logged(2)];
    const [late, kept] = source.log as [FakeDelivery, FakeDelivery];
    const delivery = { deliveryId: late.guid, eventType: "push", body: {} };
    await db.transaction((tx) => recordGithubDelivery(tx, delivery, { ignoredAs: null }));
    await db.query("INSERT INTO events (delivery_id, event_type) VALUES ($1, 'push')", [kept.guid]);
    expect(await run("sync", { org_name: owner })).toMatchObject({
      webhooks: { deliveries: 2, missed: 0 },
    });
    expect(source.asked.filter((one) => one.startsWith("delivery"))).toEqual([]);
  });

  it("are taken up where a cut left off", async () => {
    const { source, owner, run } = scene();
    source.log = [logged(0), logged(1), logged(2)];
    const whole = source.delivery;
    source.delivery = (org, id, signal) =>
      id === 1_000_000
        ? Promise.reject(new Error("the process was ended"))
        : whole(org, id, signal);
    await expect(run("sync", { org_name: owner })).rejects.toThrow("the process was ended");
    expect(await arrived(`scene-${scenes}-`)).toHaveLength(2);
    source.delivery = whole;
    expect(await run("sync", { org_name: owner })).toMatchObject({
      webhooks: { missed: 1, recovered: 1 },
    });
  });

  it("are kept whatever they hold, and told when GitHub has them no more", async () => {
    const { source, owner, run } = scene();
    const poisoned = JSON.parse(
      String.raw`{"a":"nul \u0000 half \ud800","__proto__":{"b":1},"deep":${"[".repeat(40)}${"]".repeat(40)}}`,
    ) as JsonObject;
    source.log = [
      logged(0, { body: null }),
      logged(1, { body: poisoned }),
      logged(2, { event: "ping" }),
      logged(3, { guid: "'; DROP TABLE jobs; --" }),
    ];
    expect(await run("sync", { org_name: owner })).toMatchObject({
      webhooks: { deliveries: 4, missed: 3, recovered: 2, lost: 1 },
    });
    const found = await findGithubDelivery(db, `scene-${scenes}-delivery-1`);
    expect(found?.body.a).toBe("nul \uFFFD half \uFFFD");
    expect(Object.keys(found?.body ?? {})).toEqual(["a", "deep"]);
    const ping = await db.query("SELECT status FROM control.inbound WHERE delivery_id = $1", [
      `scene-${scenes}-delivery-2`,
    ]);
    expect(ping.rows).toEqual([{ status: "ignored" }]);
  });

  it("cannot be seen where the log is hidden: the listing still is", async () => {
    const { source, owner, run, index } = scene();
    await index(1, 2);
    source.log = "hidden";
    expect(await run("sync", { org_name: owner })).toMatchObject({
      ...{ found: 2, webhooks: { deliveries: "hidden" } },
    });
  });
});
