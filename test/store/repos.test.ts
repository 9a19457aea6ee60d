import { describe, expect, it } from "vitest";
import {
  archiveRepo,
  archiveVanished,
  type FoundRepo,
  findRepo,
  listLocalRepos,
  moveHead,
  upsertRepos,
} from "../../src/store/repos.js";
import { withDatabase } from "../support/database.js";

function makeRepo(id: string, change: Partial<FoundRepo> = {}): FoundRepo {
  const location = `/srv/${id}`;
  return {
    ...{ id, name: id, org: null, location, root: "/srv" },
    ...{ defaultBranch: "main", headCommit: "c1" },
    ...change,
  };
}

async function updatedAt(db: Parameters<typeof findRepo>[0], id: string): Promise<Date> {
  const { rows } = await db.query<{ at: Date }>(
    "SELECT updated_at AS at FROM repos WHERE id = $1",
    [id],
  );
  return rows[0]!.at;
}

describe("upsertRepos", () => {
  it("adds, changes and takes back an archiving, and touches nothing that is as it was", () =>
    withDatabase(async (db) => {
      await upsertRepos(db, [makeRepo("a"), makeRepo("b")]);
      const before = await updatedAt(db, "a");
      await archiveRepo(db, "b");
      await upsertRepos(db, [makeRepo("a"), makeRepo("b", { headCommit: "c2" })]);
      expect(await updatedAt(db, "a")).toEqual(before);
      expect(await findRepo(db, "b")).toEqual({
        ...makeRepo("b"),
        headCommit: "c2",
        archived: false,
      });
    }));

  it("takes more rows than one statement", () =>
    withDatabase(async (db) => {
      await upsertRepos(
        db,
        Array.from({ length: 1_200 }, (_, at) => makeRepo(`r${at}`)),
      );
      const first = await listLocalRepos(db, { afterId: "", limit: 1_000 });
      const rest = await listLocalRepos(db, { afterId: first.at(-1)!.id, limit: 1_000 });
      expect(first.length + rest.length).toBe(1_200);
    }));
});

describe("archiving", () => {
  it("takes what was directly in the folder and is not there any more", () =>
    withDatabase(async (db) => {
      await upsertRepos(db, [
        makeRepo("itself", { location: "/srv" }),
        makeRepo("stays"),
        makeRepo("gone"),
        makeRepo("deeper", { location: "/srv/group/deeper" }),
        makeRepo("neighbour", { location: "/srv2/neighbour" }),
        makeRepo("remote", { location: null }),
      ]);
      expect((await archiveVanished(db, "/srv", ["stays"])).sort()).toEqual(["gone", "itself"]);
      expect(await archiveVanished(db, "/srv", ["stays"])).toEqual([]);
      const local = await listLocalRepos(db, { afterId: "", limit: 10 });
      expect(local.map(({ id }) => id)).toEqual(["deeper", "neighbour", "stays"]);
    }));

  it("works for the root of the file system", () =>
    withDatabase(async (db) => {
      await upsertRepos(db, [makeRepo("top", { location: "/top" })]);
      expect(await archiveVanished(db, "/", [])).toEqual(["top"]);
    }));
});

describe("moveHead", () => {
  it("says whether the head is new", () =>
    withDatabase(async (db) => {
      await upsertRepos(db, [makeRepo("a")]);
      expect(await moveHead(db, "a", { commit: "c1", branch: "main" })).toBe(false);
      expect(await moveHead(db, "a", { commit: "c2", branch: null })).toBe(true);
      expect(await findRepo(db, "a")).toMatchObject({ headCommit: "c2", defaultBranch: "main" });
    }));
});
