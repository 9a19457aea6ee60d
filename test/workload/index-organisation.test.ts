/** index of an organisation on GitHub: one row for life, archived only when GitHub says so, nothing written twice (HB-wrk-02). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { SourceHost } from "../../src/job/source-port.js";
import type { Database } from "../../src/store/database.js";
import { upsertRepos } from "../../src/store/repos.js";
import { createIndexHandler } from "../../src/workload/handler/index-repos.js";
import { findRepoIds, nameOfRemote } from "../../src/workload/repo-name.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { createFakeSource, makeSourceRepo } from "../support/fake-source.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());

function runner(source: SourceHost) {
  const deps = workloadDeps(db, { source });
  return workloadRunner(deps, [createIndexHandler(deps)]);
}

let day = 0;
/** Each test has a host of its own: what one leaves behind is none of the others' business. */
function scene() {
  const source = createFakeSource(`git-${++day}.example.org`);
  let minute = 0;
  const run = (payload: JsonObject = {}, changed: SourceHost = source) =>
    runner(changed)(
      "index",
      { org_id: "1", org_name: "acme", ...payload },
      { now: new Date(Date.UTC(2026, 5, 15, 0, minute++)).toISOString() },
    ) as Promise<JsonObject>;
  const add = (id: number, change = {}) =>
    source.add(makeSourceRepo(id, { host: source.host, ...change }));
  const rows = async () => {
    const { rows } = await db.query<JsonObject & { id: string; name: string }>(
      `SELECT r.id, r.name, r.org, r.location, r.archived, r.archived_as, r.updated_at, s.github_id, s.seen_at
       FROM repos r JOIN control.repo_source s ON s.repo_id = r.id WHERE s.host = $1 ORDER BY s.github_id`,
      [source.host],
    );
    return rows;
  };
  const aliases = async () => {
    const { rows } = await db.query<{ canonical: string; repo_id: string }>(
      "SELECT canonical, repo_id FROM control.repo_alias WHERE starts_with(canonical, $1) ORDER BY 1",
      [`${source.host}/`],
    );
    return rows;
  };
  return { source, run, add, rows, aliases };
}

async function jobsOf(ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ kind: string }>(
    "SELECT job_type AS kind FROM jobs WHERE payload->>'repo_id' = ANY ($1) ORDER BY seq",
    [ids],
  );
  return rows.map(({ kind }) => kind);
}

const NOTHING = {
  ...{ added: 0, changed: 0, pushed: 0, archived: 0, transferred: 0, unlisted_kept: 0 },
  jobs_enqueued: 0,
};

describe("index of an organisation", () => {
  it("keeps a row for each repository, asks for those that can be read, and again changes nothing", async () => {
    const { source, run, add, rows } = scene();
    for (let id = 1; id <= 246; id++) add(id);
    add(247, { isFork: true });
    add(248, { isArchived: true });
    add(249, { pushedAt: null });
    add(250, { isDisabled: true });
    const first = await run();
    expect(first).toEqual({
      ...{ ...NOTHING, organisation: "acme", found: 250, added: 250 },
      ...{ pages: 3, pages_unchanged: 0, jobs_enqueued: 2 * 246 },
    });
    const before = await rows();
    expect(before).toHaveLength(250);
    const state = (id: number) => before.find((row) => row.github_id === id);
    expect(state(1)).toMatchObject({ name: "repo-1", org: "acme", archived: false });
    expect(state(248)).toMatchObject({ archived: true, archived_as: "archived" });
    expect(state(250)).toMatchObject({ archived: true });
    expect(await jobsOf([state(247)!.id, state(248)!.id, state(249)!.id])).toEqual([]);

    expect(await run()).toEqual({
      ...{ ...NOTHING, organisation: "acme", found: 250 },
      ...{ pages: 3, pages_unchanged: 3 },
    });
    expect(await run({ full: true })).toMatchObject({ ...NOTHING, pages_unchanged: 0 });
    expect(await rows()).toEqual(before);
    expect(source.asked.filter((one) => one.startsWith("repo "))).toEqual([]);
  });

  it("asks again for what was pushed to, once", async () => {
    const { source, run, add, rows } = scene();
    add(1);
    add(2);
    await run();
    const [one, two] = await rows();
    await db.query("DELETE FROM jobs");
    await db.query("INSERT INTO scores (repo_id, score) VALUES ($1, 1), ($2, 1)", [
      one!.id,
      two!.id,
    ]);
    source.repos.set(2, { ...source.repos.get(2)!, pushedAt: new Date("2026-06-14T00:00:00Z") });
    expect(await run()).toMatchObject({ ...NOTHING, pushed: 1, jobs_enqueued: 2 });
    expect(await run()).toMatchObject(NOTHING);
    expect(await jobsOf([one!.id])).toEqual([]);
    expect(await jobsOf([two!.id])).toEqual(["identity", "score"]);
  });

  it("knows a renamed repository again, also from a clone that bears the old name", async () => {
    const { source, run, add, rows } = scene();
    add(1, { name: "widgets" });
    await run();
    const { id } = (await rows())[0]!;
    source.rename(1, { name: "gadgets" });
    expect(await run()).toMatchObject({ ...NOTHING, changed: 1 });
    expect(await rows()).toMatchObject([{ id, name: "gadgets" }]);
    const remotes = [`git@${source.host}:acme/widgets.git`, `https://${source.host}/acme/gadgets`];
    const names = remotes.map((remote) => nameOfRemote(remote)!);
    expect(await findRepoIds(db, names)).toEqual([id, id]);
  });

  it("gives a new repository under an old name a row of its own", async () => {
    const { source, run, add, rows, aliases } = scene();
    add(1, { name: "widgets" });
    await run();
    source.rename(1, { name: "attic" });
    add(2, { name: "widgets" });
    await run();
    const [old, young] = await rows();
    expect([old, young]).toMatchObject([{ name: "attic" }, { name: "widgets" }]);
    expect(old!.id).not.toBe(young!.id);
    expect(await aliases()).toEqual([
      { canonical: `${source.host}/acme/attic`, repo_id: old!.id },
      { canonical: `${source.host}/acme/widgets`, repo_id: young!.id },
    ]);
    expect(await run()).toMatchObject(NOTHING);
  });

  it("lets two repositories swap their names", async () => {
    const { source, run, add, rows } = scene();
    add(1, { name: "a" });
    add(2, { name: "b" });
    await run();
    const before = await rows();
    source.rename(1, { name: "b" });
    source.rename(2, { name: "a" });
    await run();
    const after = await rows();
    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(after.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  it("archives what GitHub says is gone, takes it back, and follows what moved to another owner", async () => {
    const { source, run, add, rows } = scene();
    for (const id of [1, 2, 3]) add(id);
    await run();
    const gone = source.repos.get(1)!;
    source.repos.delete(1);
    source.rename(2, { owner: "umbrella" });
    expect(await run()).toMatchObject({ ...NOTHING, found: 1, archived: 1, transferred: 1 });
    expect(await rows()).toMatchObject([
      { archived: true, archived_as: "deleted" },
      { org: "umbrella", archived: false },
      { archived: false },
    ]);
    expect(await run()).toMatchObject(NOTHING);
    source.add(gone);
    expect(await run()).toMatchObject({ changed: 1, archived: 0 });
    expect(await rows()).toMatchObject([{ archived: false, archived_as: null }, {}, {}]);
  });

  it("does not believe that most of them are gone: a lost right looks the same", async () => {
    const { source, run, add, rows } = scene();
    for (let id = 1; id <= 40; id++) add(id);
    await run();
    for (let id = 1; id <= 30; id++) source.repos.delete(id);
    expect(await run()).toMatchObject({ archived: 0, unlisted_kept: 30, found: 10 });
    expect((await rows()).filter(({ archived }) => archived)).toEqual([]);
    const asked = source.asked.filter((one) => one.startsWith("repo "));
    expect(asked.length).toBeLessThanOrEqual(20);
  });

  it("is not moved back by an answer that is older than what is known", async () => {
    const { source, run, add, rows } = scene();
    add(1, { name: "widgets" });
    await run();
    source.rename(1, { name: "gadgets" });
    await run();
    source.rename(1, { name: "widgets" });
    const late = runner(source);
    await late("index", { org_id: "1", org_name: "acme" }, { now: "2026-06-14T23:00:00Z" });
    expect(await rows()).toMatchObject([{ name: "gadgets" }]);
  });

  it("ends where it would have ended when it was cut in the middle", async () => {
    const whole = scene();
    const cut = scene();
    for (const { add } of [whole, cut]) for (let id = 1; id <= 250; id++) add(id);
    await whole.run();
    const breaking: SourceHost = {
      ...cut.source,
      listRepos: (owner, ask, signal) =>
        ask.page === "3"
          ? Promise.reject(new Error("the process was ended"))
          : cut.source.listRepos(owner, ask, signal),
    };
    await expect(cut.run({}, breaking)).rejects.toThrow("the process was ended");
    expect(await cut.rows()).toHaveLength(200);
    expect(await cut.run()).toMatchObject({ added: 50, pages_unchanged: 2, jobs_enqueued: 100 });
    const names = async ({ rows }: typeof whole) =>
      (await rows()).map(({ name, github_id, archived }) => ({ name, github_id, archived }));
    expect(await names(cut)).toEqual(await names(whole));
  });

  it("is done once when several do it at the same time", async () => {
    const { source, run, add, rows, aliases } = scene();
    for (let id = 1; id <= 150; id++) add(id);
    const results = await Promise.all([run(), run(), run({ full: true })]);
    const sum = (key: string) => results.reduce((total, result) => total + Number(result[key]), 0);
    expect([sum("added"), sum("jobs_enqueued")]).toEqual([150, 300]);
    expect(await rows()).toHaveLength(150);
    expect(await aliases()).toHaveLength(150);
    expect(source.asked).toHaveLength(6);
  });

  it("leaves a copy in a folder to that folder, and goes on from GitHub when it has vanished", async () => {
    const { source, run, add, rows } = scene();
    add(1, { name: "gadgets" });
    const [id] = await findRepoIds(db, [nameOfRemote(`https://${source.host}/acme/gadgets.git`)!]);
    const copy = { id: id!, name: "widgets", org: "acme", defaultBranch: "trunk", headCommit: "c" };
    await upsertRepos(db, [{ ...copy, location: "/srv/widgets", root: "/srv" }]);
    expect(await run()).toMatchObject({ added: 1, jobs_enqueued: 0 });
    expect(await rows()).toMatchObject([{ id, name: "gadgets", location: "/srv/widgets" }]);
    source.repos.set(1, { ...source.repos.get(1)!, isArchived: true });
    await run();
    await upsertRepos(db, [{ ...copy, location: "/srv/widgets", root: "/srv" }]);
    expect(await rows()).toMatchObject([{ name: "gadgets", archived: false }]);
    source.repos.set(1, { ...source.repos.get(1)!, isArchived: false });
    await db.query("UPDATE repos SET archived = true, archived_as = 'vanished' WHERE id = $1", [
      id,
    ]);
    expect(await run()).toMatchObject({ changed: 1, jobs_enqueued: 2 });
    expect(await rows()).toMatchObject([{ location: null, archived: false, archived_as: null }]);
  });

  it("gives up a listing that does not end", async () => {
    const { source, run } = scene();
    const looping: SourceHost = {
      ...source,
      listRepos: async () => ({ items: [], etag: null, next: "2" }),
    };
    await expect(run({}, looping)).rejects.toMatchObject({
      ...{ kind: "data", code: "GITHUB_LISTING_ENDLESS" },
    });
  });
});
