/** `db …` and the handbook's scripts (HB-cli-01…04), by the real program in a checkout of its own, where files may be added. */
import { chmod, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../src/store/database.js";
import { createEmptyDatabase, type TestDatabase, withDatabase } from "../support/database.js";
import { type Answer, bin, cli, lendCheckout, program } from "./support.js";

const ADD_SCORE = `ALTER TABLE scores ADD COLUMN security_score INTEGER;
CREATE INDEX idx_scores_security ON scores(security_score);
`;
const FILE_006 = "006_add_security_score";

let checkout: string;
let giveBack: () => Promise<void>;
beforeAll(async () => {
  ({ folder: checkout, giveBack } = await lendCheckout());
});
afterAll(() => giveBack());

async function withEmpty(work: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = await createEmptyDatabase();
  try {
    await work(database);
  } finally {
    await database.drop();
  }
}

function scripts(url: string) {
  const setting = {
    cwd: checkout,
    env: { DATABASE_URL: url, ALGOBRAIN_HOME: join(checkout, "home") },
  };
  return (name: string, ...args: string[]): Promise<Answer> =>
    program(join(checkout, "scripts", "db", `${name}.sh`), args, setting);
}

async function migrations(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>("SELECT name FROM migrations ORDER BY id");
  return rows.map(({ name }) => name);
}

test(
  "the handbook's scripts carry a migration of the operator there and back",
  () =>
    withEmpty(async ({ db, url }) => {
      const script = scripts(url);
      const dry = await script("migrate", "--dry-run");
      expect(dry).toMatchObject({ code: 0, err: "" });
      expect(dry.out).toMatch(/^would apply 001_initial_schema\n(would apply \d+_\w+\n)+$/);
      expect((await db.query("SELECT FROM pg_tables WHERE schemaname = 'public'")).rowCount).toBe(
        0,
      );

      // Two at once share the files: each is applied once, by whichever came first (HB-cli-02).
      const both = await Promise.all([script("migrate"), script("migrate")]);
      expect(both.map(({ code }) => code)).toEqual([0, 0]);
      const applied = both.flatMap(({ out }) => out.match(/^applied .*/gm) ?? []);
      const would = dry.out.match(/^would apply .*/gm)!;
      expect(applied.sort()).toEqual(
        would.map((line) => line.replace("would apply", "applied")).sort(),
      );
      expect(await script("migrate")).toMatchObject({ code: 0, out: "nothing to apply\n" });
      expect(await migrations(db)).toHaveLength(5);

      await writeFile(join(checkout, "src/db/migrations", `${FILE_006}.sql`), ADD_SCORE);
      expect(await script("migrate", "--dry-run")).toMatchObject({
        out: `would apply ${FILE_006}\n`,
      });
      expect(await migrations(db)).toHaveLength(5);
      expect(await script("migrate")).toMatchObject({ code: 0, out: `applied ${FILE_006}\n` });
      expect((await migrations(db)).at(-1)).toBe(FILE_006);
      await db.query("SELECT security_score FROM scores");

      const wrong = await script("rollback", "005_add_audit_indexes");
      expect(wrong).toMatchObject({ code: 1, out: "" });
      expect(wrong.err).toBe(
        `db: 005_add_audit_indexes is not the newest migration: ${FILE_006} came after it\nhint: roll back ${FILE_006} first\n`,
      );
      const back = await script("rollback", FILE_006);
      expect(back).toMatchObject({ code: 0, err: "" });
      expect(back.out).toContain(
        `rolled back ${FILE_006}\nmove src/db/migrations/${FILE_006}.sql away`,
      );
      const { rows } =
        await db.query(`SELECT FROM information_schema.columns WHERE column_name = 'security_score'
      UNION ALL SELECT FROM pg_indexes WHERE indexname = 'idx_scores_security'`);
      expect(rows).toEqual([]);
      expect(await migrations(db)).toHaveLength(5);

      // Its file is still there: a command that only looks must not bring it back.
      const bare = { cwd: checkout, env: { DATABASE_URL: url } };
      const node = [join(checkout, "bin/algobrain.js"), "jobs", "list"];
      expect(await program(process.execPath, node, bare)).toMatchObject({
        code: 0,
        out: "no jobs yet\n",
      });
      expect(await migrations(db)).toHaveLength(5);
      expect(await script("rollback", FILE_006)).toMatchObject({
        ...{ code: 1, err: expect.stringContaining(`migration "${FILE_006}" is not applied`) },
      });
      await rm(join(checkout, "src/db/migrations", `${FILE_006}.sql`));
    }),
  90_000,
);

test(
  "a backup restores into an empty database by the line that it printed (HB-cli-04)",
  () =>
    withDatabase(async (db, url) => {
      await db.query(
        "INSERT INTO repos (id, name) SELECT 'r' || n, 'repo ' || n FROM generate_series(1, 3) n",
      );
      await db.query(
        "INSERT INTO jobs (job_type, payload) VALUES ('score', '{\"repo_id\": \"r1\"}')",
      );
      const taken = await scripts(url)("backup", "production");
      expect(taken.code).toBe(0);
      const [path] = /\/\S+algobrain-production-\d{8}T\d{6}Z\S*/.exec(taken.out)!;
      expect(path.startsWith(join(checkout, "home", "backups"))).toBe(true);
      const [, line] = /^restore it into an empty database: (.*)$/m.exec(taken.out)!;
      expect(line).toBe(`algobrain db restore ${path} --into URL`);

      await withEmpty(async (empty) => {
        const args = line!
          .split(" ")
          .slice(1)
          .map((word) => (word === "URL" ? empty.url : word));
        const restored = await bin(args, { env: { DATABASE_URL: url } });
        expect(restored).toMatchObject({ code: 0 });
        expect(restored.out).toMatch(/^restored \d+ rows of \d+ tables, as they were at 20\d\d-/);
        const { rows } = await empty.db.query("SELECT id, payload FROM jobs");
        expect(rows).toEqual([{ id: "job-1", payload: { repo_id: "r1" } }]);
        expect((await empty.db.query("SELECT FROM repos")).rowCount).toBe(3);
        const again = await bin(args, { env: { DATABASE_URL: url } });
        expect(again).toMatchObject({ code: 1, out: "" });
        expect(again.err).toContain("the database is not empty");
      });
    }),
  90_000,
);

describe("db backup and db restore", () => {
  test("go where they are told, and say it as JSON", () =>
    withDatabase(async (_db, url) => {
      const folder = await mkdtemp(join(tmpdir(), "algobrain-backup-"));
      const { code, out } = await cli(["db", "backup", "--to", "here", "--json"], {
        ...{ cwd: folder, env: { DATABASE_URL: url } },
      });
      expect(code).toBe(0);
      const { path } = JSON.parse(out) as { path: string };
      expect(path.startsWith(join(folder, "here", "algobrain-local-"))).toBe(true);
      expect(await readdir(join(folder, "here"))).not.toEqual([]);
      await rm(folder, { recursive: true });
    }));

  test.each([
    [["backup", "../x"], 'found environment "../x", expected lower-case letters, digits and -'],
    [
      ["restore", "x.dump", "--into", "embedded"],
      "pg_restore --no-acl --dbname=EMPTY_DATABASE x.dump",
    ],
    [["restore", "nowhere", "--into", "URL"], "cannot read"],
  ])("refuse %j", (args, sentence) =>
    withDatabase(async (_db, url) => {
      const words = args.map((word) => (word === "URL" ? url : word));
      const { code, out, err } = await cli(["db", ...words], { env: { DATABASE_URL: url } });
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toContain(sentence);
    }),
  );

  test("never take DATABASE_URL for the target, and never quote a URL", () =>
    withDatabase(async (_db, url) => {
      const env = { DATABASE_URL: url };
      expect(await cli(["db", "restore", "x"], { env })).toMatchObject({ code: 2 });
      const { err } = await cli(["db", "restore", "x", "--into", "mysql://a:hunter2@b/c"], { env });
      expect(err).not.toContain("hunter2");
    }));
});

test("db url is the URL alone", () =>
  withDatabase(async (_db, url) => {
    expect(await cli(["db", "url"], { env: { DATABASE_URL: url } })).toEqual({
      ...{ code: 0, out: `${url}\n`, err: "" },
    });
  }));

describe("the embedded database of a home", () => {
  test("is there for a command without any other, upgraded and then stopped again; a backup goes into a new one", async () => {
    const home = await realpath(await mkdtemp(join(tmpdir(), "algobrain-home-")));
    // When root runs the tests, another account runs the server: else its files go elsewhere, and stay.
    await chmod(home, 0o755);
    const at = (name: string) => ({ env: { ALGOBRAIN_HOME: join(home, name) } });
    try {
      const added = await bin(["jobs", "add", "gc"], at("old"));
      expect(added).toMatchObject({ code: 0, out: "job-1\n" });
      const url = await bin(["db", "url"], at("old"));
      expect(url.out).toMatch(/^postgresql:\/\/algobrain:\S+@127\.0\.0\.1:\d+\/algobrain\n$/);
      expect(url.err).toContain("this server stops again now");
      const refused = await cli(["jobs", "list"], { env: { DATABASE_URL: url.out.trim() } });
      expect(refused.err).toContain("does not answer");

      const taken = JSON.parse((await bin(["db", "backup", "--json"], at("old"))).out);
      const restored = await bin(["db", "restore", taken.path, "--into", "embedded"], at("new"));
      expect(restored).toMatchObject({ code: 0 });
      expect((await bin(["jobs", "list"], at("new"))).out).toMatch(/^job-1 +gc +pending/m);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }, 120_000);
});
