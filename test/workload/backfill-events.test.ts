/** A backfill of events: what GitHub's API still knows becomes events, once, page by page, and only while there is budget. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import type { ItemPage, SourceHost } from "../../src/job/source-port.js";
import { WORKLOAD_DEFAULTS } from "../../src/policy/defaults.js";
import { readBackfill } from "../../src/store/backfills.js";
import type { Database } from "../../src/store/database.js";
import { createBackfillHandler } from "../../src/workload/handler/backfill.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { createFakeSource } from "../support/fake-source.js";
import { makeContext } from "../support/job-context.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());
beforeEach(async () => {
  await db.query(
    "TRUNCATE jobs, repos, events, control.backfill, control.repo_source, control.github_budget",
  );
  await db.query("INSERT INTO repos (id, name) VALUES ('a', 'a'), ('b', 'b'), ('local', 'local')");
  await db.query(
    `INSERT INTO control.repo_source (repo_id, host, github_id, owner, name, clone_url, is_private, is_fork, is_archived, seen_at)
     SELECT id, 'github.com', ascii(id), 'acme', id, 'https://github.com/acme/' || id, false, false, id = 'b', now()
     FROM unnest(ARRAY['a', 'b']) id`,
  );
});

const pull = (
  number: number,
  created_at: string,
  closed_at: string | null,
  more = {},
): JsonObject => ({
  ...{ id: 1000 + number, number, title: "change\u0000 \ud800", state: "closed" },
  ...{ created_at, closed_at, merged_at: closed_at, updated_at: closed_at ?? created_at },
  ...{ user: { id: 1, login: "ada", type: "User", avatar_url: "https://example.org/a.png" } },
  ...{ body: "a long text", ...more },
});
const release = (id: number, published_at: string | null): JsonObject => ({
  ...{ id, tag_name: `v${id}`, published_at, draft: published_at === null },
});

/** Newest change first, two a page. */
const PULLS: readonly ItemPage[] = [
  {
    items: [
      pull(4, "2026-03-01T00:00:00Z", null),
      pull(3, "2026-01-20T00:00:00Z", "2026-02-10T00:00:00Z"),
    ],
    next: "2",
  },
  {
    items: [
      pull(2, "2026-01-05T00:00:00Z", "2026-01-08T00:00:00Z"),
      pull(1, "2025-12-30T00:00:00Z", "2025-12-31T00:00:00Z"),
    ],
    next: "3",
  },
];
const RELEASES: readonly ItemPage[] = [
  { items: [release(2, null), release(1, "2026-01-31T23:59:59Z")], next: null },
];

class PagedSource {
  readonly asked: string[] = [];
  failAt: string | null = null;

  readonly lists: Pick<SourceHost, "pulls" | "releases"> = {
    pulls: async (repo, { page }) => this.answer("pulls", PULLS, repo.name, page),
    releases: async (repo, { page }) => this.answer("releases", RELEASES, repo.name, page),
  };

  private answer(
    list: string,
    pages: readonly ItemPage[],
    repo: string,
    page: string | null,
  ): ItemPage {
    const what = `${list} of ${repo} ${page ?? "1"}`;
    if (this.failAt === what) throw fault.waiting("GITHUB_RATE_LIMITED", "later");
    this.asked.push(what);
    return pages[Number(page ?? "1") - 1] ?? { items: [], next: null };
  }
}

const RANGE = { entity: "events", start_date: "2026-01-01", end_date: "2026-01-31" };
const ONE = { ...RANGE, repo_ids: ["a"] };

function run(source: PagedSource | null, payload: JsonObject = ONE, seq = 50) {
  const host = source && { ...createFakeSource(), ...source.lists };
  const handler = createBackfillHandler({ db, policy: () => WORKLOAD_DEFAULTS, source: host });
  return handler.run(makeContext({ kind: "backfill", payload, seq }));
}

async function events(): Promise<string[]> {
  const { rows } = await db.query<{ said: string }>(
    `SELECT concat_ws(' ', to_char(occurred_at AT TIME ZONE 'UTC', 'MM-DD'), event_type, payload ->> 'action',
       coalesce(payload #>> '{pull_request,number}', payload #>> '{release,tag_name}')) AS said
     FROM events WHERE source = 'github-api' AND repo_id = 'a' ORDER BY occurred_at`,
  );
  return rows.map(({ said }) => said);
}

const IN_RANGE = [
  "01-05 pull_request opened 2",
  "01-08 pull_request closed 2",
  "01-20 pull_request opened 3",
  "01-31 release published v1",
];

describe("a backfill of events of one repository", () => {
  it("keeps what was opened, closed and published in the range, and reads no page that is wholly before it", async () => {
    const source = new PagedSource();
    expect(await run(source)).toEqual({ repo_id: "a", added: 4 });
    expect(await events()).toEqual(IN_RANGE);
    expect(source.asked).toEqual(["pulls of a 1", "pulls of a 2", "releases of a 1"]);
    const { rows } = await db.query<{ payload: JsonObject }>(
      "SELECT payload FROM events WHERE delivery_id = 'api:github.com:pull_request:1002:closed:2026-01-08T00:00:00.000Z'",
    );
    expect(rows[0]?.payload).toMatchObject({
      pull_request: { title: "change ", merged: true, user: { id: 1, login: "ada", type: "User" } },
    });
    expect(JSON.stringify(rows)).not.toMatch(/body|avatar_url/);
  });

  it("changes nothing the second time, nor where GitHub had sent the event itself", async () => {
    await db.query(
      `INSERT INTO events (delivery_id, source, event_type, repo_id, payload, occurred_at)
       VALUES ('d1', 'github', 'pull_request', 'a', '{"action":"closed","pull_request":{"id":1002}}', '2026-01-08T00:00:03Z')`,
    );
    expect(await run(new PagedSource())).toMatchObject({ added: 3 });
    expect(await run(new PagedSource(), ONE, 51)).toMatchObject({ added: 0 });
    expect(await events()).toEqual(
      IN_RANGE.filter((said) => said !== "01-08 pull_request closed 2"),
    );
  });

  it("goes on with the page at which it had to wait", async () => {
    const source = new PagedSource();
    source.failAt = "pulls of a 2";
    await expect(run(source)).rejects.toMatchObject({ code: "GITHUB_RATE_LIMITED" });
    expect(await events()).toEqual(["01-20 pull_request opened 3"]);
    source.failAt = null;
    expect(await run(source)).toEqual({ repo_id: "a", added: 4 });
    expect(source.asked).toEqual(["pulls of a 1", "pulls of a 2", "releases of a 1"]);
    expect(await events()).toEqual(IN_RANGE);
  });

  it("asks for nothing while half of the budget is used, and takes no heed of an hour that is over", async () => {
    const source = new PagedSource();
    const budget = (left: number, reset: string) =>
      db.query(
        `INSERT INTO control.github_budget (scope, limit_, remaining, reset_at) VALUES ('s', 5000, $1, now() + $2::interval)
         ON CONFLICT (scope) DO UPDATE SET remaining = excluded.remaining, reset_at = excluded.reset_at`,
        [left, reset],
      );
    await budget(2_499, "10 minutes");
    await expect(run(source)).rejects.toMatchObject({
      kind: "waiting",
      code: "BACKFILL_BUDGET_LOW",
    });
    expect(source.asked).toEqual([]);
    await budget(0, "-1 second");
    expect(await run(source)).toMatchObject({ added: 4 });
  });
});

describe("a backfill of events", () => {
  it("has a child for each repository that GitHub has, archived or not, below live work", async () => {
    await expect(run(new PagedSource(), RANGE)).rejects.toMatchObject({ code: "BACKFILL_OPEN" });
    const { rows } = await db.query<{ payload: JsonObject; priority: number }>(
      "SELECT payload, priority FROM jobs WHERE parent_seq = 50 AND job_type = 'backfill' ORDER BY seq",
    );
    expect(rows).toEqual(
      ["a", "b"].map((id) => ({ payload: { ...RANGE, repo_ids: [id] }, priority: 1 })),
    );
    await db.query("UPDATE jobs SET status = 'completed', completed_at = now()");
    expect(await run(new PagedSource(), RANGE)).toMatchObject({
      planned: 2,
      enqueued: 2,
      completed: 2,
    });
    expect((await readBackfill(db, 50))?.finishedAt).toBeInstanceOf(Date);
  });

  it("is refused without access to GitHub, and skips what GitHub does not have", async () => {
    await expect(run(null)).rejects.toMatchObject({
      kind: "refused",
      code: "GITHUB_NOT_CONFIGURED",
    });
    expect(await run(new PagedSource(), { ...RANGE, repo_ids: ["local"] })).toEqual({
      skipped: "GitHub does not have the repository",
    });
  });
});
