/** How jobs reach a history: a copy on this machine, or a held clone, and the same people from either. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createCloneCache } from "../../src/adapter/clone-cache.js";
import type { RepoStore } from "../../src/job/source-port.js";
import type { Database } from "../../src/store/database.js";
import { withRepo } from "../../src/workload/held-repo.js";
import { withDatabase } from "../support/database.js";
import { allowFilters, withGitHost } from "../support/git-http.js";
import { git, makeRepository, withFolder } from "../support/git-repository.js";
import { makeContext } from "../support/job-context.js";
import { cloneSetup } from "../support/kept-repo.js";
import { workloadDeps, workloadRunner } from "../support/workload-deps.js";

const CONTEXT = makeContext({ payload: {} });
const COMMITS = [
  { author: "ada <old@example.org>", at: "2026-01-01T00:00:00Z" },
  {
    author: "Bob <bob@example.org>",
    at: "2026-01-02T00:00:00Z",
    message: "x\n\nCo-authored-by: Cy <cy@example.org>",
    files: { ".mailmap": "Ada Lovelace <ada@example.org> <old@example.org>\n" },
  },
];

async function addSource(db: Database, id: string, cloneUrl: string): Promise<void> {
  await db.query("INSERT INTO repos (id, name, org) VALUES ($1, 'r', 'o')", [id]);
  await db.query(
    `INSERT INTO control.repo_source (repo_id, host, github_id, owner, name, clone_url, default_branch,
       is_private, is_fork, is_archived, seen_at)
     VALUES ($1, 'h', 7, 'o', 'r', $2, 'main', true, false, false, '2026-06-01T00:00:00Z')`,
    [id, cloneUrl],
  );
}

const claimsOf = async (db: Database, id: string) => {
  const { rows } = await db.query(
    `SELECT to_jsonb(c) - '{id,repo_id,created_at,updated_at}'::text[] AS claim FROM claims c
     WHERE repo_id = $1 ORDER BY 1`,
    [id],
  );
  return rows;
};

it("finds the same people in a folder and in a clone without file contents", () =>
  withFolder((folder) =>
    withDatabase(async (db) => {
      const hosted = join(folder, "host");
      mkdirSync(hosted);
      allowFilters(hosted);
      const served = await makeRepository(join(hosted, "o", "r.git"), COMMITS, { bare: true });
      await withGitHost(hosted, async ({ origin }) => {
        const clones = createCloneCache(cloneSetup(join(folder, "clones"), origin));
        const run = workloadRunner(workloadDeps(db, { clones }));
        await addSource(db, "repo-kept", `${origin}/o/r.git`);
        await run("identity", { repo_id: "repo-kept" });
        git(folder, "clone", "--quiet", "--no-local", served, "local");
        await run("index", { path: join(folder, "local") });
        const { rows } = await db.query<{ id: string }>(
          "SELECT id FROM repos WHERE location <> ''",
        );
        await run("identity", { repo_id: rows[0]?.id ?? "" });
        const held = await claimsOf(db, "repo-kept");
        expect(held).toHaveLength(3);
        expect(held).toEqual(await claimsOf(db, rows[0]?.id ?? ""));
      });
    }),
  ));

it("holds a clone as long as it is read, none for what is archived, and says what is missing", () =>
  withDatabase(async (db) => {
    await addSource(db, "repo-a", "https://h/o/r.git");
    const steps: string[] = [];
    const clones: RepoStore = {
      hold: async ({ id, githubId }, { freshAfter }) => {
        steps.push(`hold ${id} ${githubId} ${freshAfter.toISOString()}`);
        const release = async () => void steps.push("release");
        return { at: { path: "/clone", root: "/clone" }, release };
      },
      forget: async () => {},
      stats: async () => ({ repos: 0, bytes: 0 }),
    };
    const reach = (id: string, deps = { db, clones: clones as RepoStore | null }) =>
      withRepo(deps, id, CONTEXT, async (at) => {
        steps.push(`read ${at?.path}`);
        if (steps.length === 2) throw new Error("cut");
      });
    await expect(reach("repo-a")).rejects.toThrow("cut");
    const made = CONTEXT.job.createdAt.toISOString();
    expect(steps).toEqual([`hold repo-a 7 ${made}`, "read /clone", "release"]);
    await expect(reach("repo-a", { db, clones: null })).rejects.toMatchObject({
      kind: "refused",
      code: "GITHUB_NOT_CONFIGURED",
    });
    await expect(reach("repo-x")).rejects.toMatchObject({ kind: "data", code: "REPO_UNKNOWN" });
    await db.query("UPDATE control.repo_source SET gone_at = now()");
    await expect(reach("repo-a")).rejects.toMatchObject({ kind: "data", code: "REPO_NOT_LOCAL" });
    await db.query("UPDATE repos SET archived = true");
    await reach("repo-a");
    expect(steps.at(-1)).toBe("read undefined");
  }));
