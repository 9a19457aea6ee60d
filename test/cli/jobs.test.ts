/** The commands that look at jobs and change them, on a real database that other people may share. */
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { publish } from "../../src/main/policy.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { writeAttempts } from "../../src/store/job-attempts.js";
import { readJob } from "../../src/store/jobs.js";
import { registerWorker } from "../../src/store/workers.js";
import { createEmptyDatabase, withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { BIN, bin, cli, expectAligned, program } from "./support.js";

const on = (url: string) => ({ env: { DATABASE_URL: url } });
const words = (text: string) => text.split(" ");

/** A worker process that beats at this moment. */
async function beOneWorker(db: Database): Promise<void> {
  await registerWorker(db, {
    ...{ lane: "general", kinds: ["index", "score"], hostname: "here", pid: 1 },
  });
}

async function insertJobs(db: Database, rows: string): Promise<void> {
  await db.query(`INSERT INTO jobs (job_type, status, attempts, error) VALUES ${rows}`);
}

describe("jobs add", () => {
  test("prints the id alone, audits who asked, and says when nobody is there to do it", () =>
    withDatabase(async (db, url) => {
      const first = await cli(["jobs", "add", "score", '{"repo_id": "r1"}'], on(url));
      expect(first).toEqual({
        code: 0,
        out: "job-1\n",
        err: 'note: job-1 waits, because no worker process is alive: start the runtime with "npm start"\n',
      });
      expect(await readJob(db, 1)).toMatchObject({ kind: "score", payload: { repo_id: "r1" } });
      expect(await readAuditOfTarget(db, "job-1")).toMatchObject([
        { actor: "cli:test", action: "job.created" },
      ]);
      await beOneWorker(db);
      const second = await cli(["jobs", "add", "score", '{"repo_id": "r1"}'], on(url));
      expect(second).toEqual({ code: 0, out: "job-2\n", err: "" });
    }));

  test("a worker that beats no more is nobody", () =>
    withDatabase(async (db, url) => {
      await beOneWorker(db);
      await db.query("UPDATE workers SET last_heartbeat = now() - interval '1 minute'");
      const { err } = await cli(["jobs", "add", "gc"], on(url));
      expect(err).toContain("no worker process is alive");
    }));

  test("a payload that does not fit its type adds nothing, and all that is wrong is said", () =>
    withDatabase(async (db, url) => {
      const { code, out, err } = await cli(["jobs", "add", "score", '{"repo": 1}'], on(url));
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toBe('payload: must have key "repo_id"\npayload: unknown key "repo"\n');
      expect((await db.query("SELECT FROM jobs")).rowCount).toBe(0);
    }));
});

describe("jobs list", () => {
  test("says that there are none yet, and none such", () =>
    withDatabase(async (_db, url) => {
      expect((await cli(words("jobs list"), on(url))).out).toBe("no jobs yet\n");
      const none = await cli(words("jobs list --status failed"), on(url));
      expect(none).toEqual({ code: 0, out: "no such jobs\n", err: "" });
    }));

  test("aligns, newest first, with long errors cut and line breaks taken out", () =>
    withDatabase(async (db, url) => {
      await insertJobs(
        db,
        `('index', 'completed', 1, NULL), ('maintenance', 'failed', 12, 'first line' || chr(10) || 'second ${"x".repeat(200)}')`,
      );
      const { out } = await cli(words("jobs list"), on(url));
      expectAligned(out);
      const [head, , newest, oldest, ...more] = out.trimEnd().split("\n");
      expect(head).toMatch(/^id +type +status +attempts +created \(UTC\) +error$/);
      expect(newest).toMatch(
        /^job-2 +maintenance +failed +12 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +first line second x+…$/,
      );
      expect(oldest).toMatch(/^job-1 +index +completed +1 +[-\d]+ [:\d]+$/);
      expect(more).toEqual([]);
    }));

  test("filters, limits, and prints JSON that a machine reads", () =>
    withDatabase(async (db, url) => {
      await insertJobs(
        db,
        "('index', 'failed', 1, 'x'), ('score', 'failed', 1, 'y'), ('score', 'completed', 1, NULL)",
      );
      const ids = async (line: string) => {
        const { out, code } = await cli(words(`${line} --json`), on(url));
        expect(code).toBe(0);
        return (JSON.parse(out) as { id: string }[]).map(({ id }) => id);
      };
      expect(await ids("jobs list")).toEqual(["job-3", "job-2", "job-1"]);
      expect(await ids("jobs list --status failed")).toEqual(["job-2", "job-1"]);
      expect(await ids("jobs list --type score")).toEqual(["job-3", "job-2"]);
      expect(await ids("jobs list --type score --status failed")).toEqual(["job-2"]);
      expect(await ids("jobs list --limit 1")).toEqual(["job-3"]);
      expect(await ids("jobs list --before job-2")).toEqual(["job-1"]);
      expect(await ids("jobs list --since 1h --type index")).toEqual(["job-1"]);
      expect(await ids("jobs list --until 1h")).toEqual([]);
      expect(await ids("jobs list --error y")).toEqual(["job-2"]);
    }));
});

describe("jobs retry-all and cancel-all", () => {
  test("count first, act on the token, and say what was left alone", () =>
    withDatabase(async (db, url) => {
      await insertJobs(
        db,
        "('index', 'failed', 1, 'git: away'), ('index', 'failed', 1, 'git: away'), ('index', 'running', 1, NULL), ('score', 'failed', 1, 'x')",
      );
      const line = words("jobs retry-all --type index --reason back");
      const { out } = await cli(line, on(url));
      expect(out).toMatch(
        /^2 jobs would be retried\nleft alone: 1 running\nto do it, add: --confirm 2-4-\w+\n$/,
      );
      const token = out.trim().split(" ").at(-1)!;
      const other = await cli(
        [...words("jobs retry-all --reason x --type score --confirm"), token],
        on(url),
      );
      expect(other).toMatchObject({ code: 2, err: expect.stringContaining("--confirm: found") });
      const done = await cli([...line, "--confirm", token], on(url));
      expect(done).toEqual({ code: 0, out: "retried 2 jobs\n", err: "" });
      expect(await readAuditOfTarget(db, "job-1")).toMatchObject([
        {
          actor: "cli:test",
          action: "job.retried",
          details: { reason: "back", error: "git: away" },
        },
      ]);
      await db.query("UPDATE jobs SET status = 'failed' WHERE status = 'pending'");
      await db.query("UPDATE jobs SET status = 'failed' WHERE status = 'running'");
      const grown = await cli([...line, "--confirm", token], on(url));
      expect(grown).toMatchObject({ code: 1, err: expect.stringContaining("count again") });
    }));
});

describe("jobs why", () => {
  test("says what holds the job and what to do, and that nothing runs where no policy is", () =>
    withDatabase(async (db, url) => {
      await insertJobs(db, "('index', 'failed', 1, 'no such remote')");
      const unknown = await cli(words("jobs why job-1"), on(url));
      expect(unknown).toMatchObject({
        code: 1,
        err: expect.stringContaining("no policy is in force"),
      });
      await publish(db, makePolicy(), "test");
      expect(await cli(words("jobs why job-1"), on(url))).toMatchObject({
        code: 0,
        out: expect.stringMatching(
          /^It failed for good: no such remote\n {2}what to do: .*jobs retry job-1\n$/,
        ),
      });
      await db.query("UPDATE jobs SET status = 'pending'");
      const json = JSON.parse((await cli(words("jobs why job-1 --json"), on(url))).out);
      expect(json).toMatchObject({ id: "job-1", reasons: [{ code: "no-worker" }] });
      await beOneWorker(db);
      const { out } = await cli(words("jobs why job-1"), on(url));
      expect(out).toBe("Nothing holds it: a worker takes it within a moment.\n");
      expect((await cli(words("jobs why job-9"), on(url))).err).toContain("there is no job-9");
    }));
});

describe("jobs show", () => {
  test("tells one job, its healing, who did what, and what to do next", () =>
    withDatabase(async (db, url) => {
      await insertJobs(db, "('score', 'quarantined', 1, 'REPO_UNKNOWN: there is none')");
      await db.query(`INSERT INTO healdec_log (job_id, worker_id, failure_type, strategy, attempt_number, success)
        VALUES ('job-1', 'score-worker-1', 'data', 'quarantine', 1, true)`);
      await db.query(
        "SELECT control.audit_append('cli:ann', 'job.created', 'job-1', '{\"reason\": \"why not\"}')",
      );
      const { code, out } = await cli(words("jobs show job-1"), on(url));
      expect(code).toBe(0);
      const facts = out.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "TIME").split("\n");
      expect(facts).toEqual([
        "job-1  score  quarantined",
        "  payload   {}",
        "  error     REPO_UNKNOWN: there is none",
        "  attempts  1, priority 5",
        "  created   TIME UTC",
        "  healing   TIME UTC  attempt 1 failed (data), so quarantine: worked",
        "  audit     TIME UTC  job.created by cli:ann: why not",
        "next: correct what the error names, then: algobrain jobs retry job-1",
        "",
      ]);
      const json = JSON.parse((await cli(words("jobs show job-1 --json"), on(url))).out);
      expect(json).toMatchObject({
        job: { id: "job-1", status: "quarantined" },
        healing: [{ strategy: "quarantine" }],
        audit: [{ actor: "cli:ann" }],
      });
    }));

  test("a number that no job has", () =>
    withDatabase(async (_db, url) => {
      expect(await cli(words("jobs show job-99"), on(url))).toEqual({
        code: 1,
        out: "",
        err: "jobs: there is no job-99\nhint: see: algobrain jobs list\n",
      });
    }));
});

describe("jobs show: attempts", () => {
  test("the newest first, with progress, lines and trace under each other", () =>
    withDatabase(async (db, url) => {
      await insertJobs(db, "('index', 'pending', 2, 'boom')");
      const at = new Date("2026-06-15T12:00:00Z");
      const attempt = { jobSeq: 1, workerId: "index-worker-7", startedAt: at, linesLeftOut: 0 };
      const error = { code: "UNEXPECTED", message: "boom", trace: "Error: boom\n    at read" };
      const end = { at: new Date("2026-06-15T12:00:01.200Z"), outcome: "failed", error } as const;
      const still = { progress: null, note: null, end: null, lines: [] };
      await writeAttempts(db, [
        { ...attempt, ...still, attempt: 1, fence: 1, end },
        {
          ...{ ...attempt, ...still, attempt: 2, fence: 3, linesLeftOut: 57 },
          ...{ progress: 0.43, note: "430 of 1000" },
          lines: [{ ordinal: 1, at, level: "warn", message: "repo.unreadable repo=alpha" }],
        },
      ]);
      const { out } = await cli(words("jobs show job-1"), on(url));
      expect(out.split("\n").slice(-9)).toEqual([
        "attempt 2  ended without a word  2026-06-15 12:00:00 UTC, on index-worker-7",
        "  progress  ████████░░░░░░░░░░░░   43 %  430 of 1000",
        "  12:00:00  warn   repo.unreadable repo=alpha",
        "            … 57 more lines were left out",
        "attempt 1  failed  2026-06-15 12:00:00 UTC, 1s200ms, on index-worker-7",
        "  error     UNEXPECTED: boom",
        "  trace     Error: boom",
        "                at read",
        "",
      ]);
      const json = JSON.parse((await cli(words("jobs show job-1 --json"), on(url))).out);
      expect(json.attempts).toMatchObject([{ progress: 0.43 }, { error }]);
    }));
});

describe("jobs retry", () => {
  test.each([
    ["failed", 0, "job-1 is pending again"],
    ["quarantined", 0, "job-1 is pending again"],
    ["cancelled", 0, "job-1 is pending again"],
    ["pending", 1, "job-1 is already pending"],
    ["running", 1, "job-1 is running: wait for it, or end its hold with --force"],
    ["completed", 1, "job-1 is completed: there is nothing to retry"],
  ])("when it is %s", (status, expected, sentence) =>
    withDatabase(async (db, url) => {
      await insertJobs(db, `('score', '${status}', 3, 'boom')`);
      const { code, out, err } = await cli(words("jobs retry job-1 --reason again"), on(url));
      expect(code).toBe(expected);
      expect(expected === 0 ? out : err).toContain(sentence);
      const job = await readJob(db, 1);
      expect(job).toMatchObject(
        expected === 0 ? { status: "pending", attempts: 0 } : { status, attempts: 3 },
      );
      const audit = await readAuditOfTarget(db, "job-1");
      expect(audit).toHaveLength(expected === 0 ? 1 : 0);
      if (expected === 0)
        expect(audit[0]).toMatchObject({ actor: "cli:test", details: { reason: "again" } });
    }),
  );

  test("a running one by force, and one that is not there", () =>
    withDatabase(async (db, url) => {
      await insertJobs(db, "('score', 'running', 1, NULL)");
      expect(await cli(words("jobs retry job-1 --force"), on(url))).toMatchObject({ code: 0 });
      expect(await cli(words("jobs retry job-2"), on(url))).toEqual({
        ...{ code: 1, out: "", err: "there is no job-2\n" },
      });
    }));
});

describe("index", () => {
  test("enqueues a folder once, by its whole path", () =>
    withDatabase(async (db, url) => {
      await beOneWorker(db);
      const folder = await realpath(await mkdtemp(join(tmpdir(), "algobrain-index-")));
      const here = { ...on(url), cwd: folder };
      const first = await cli(["index", "."], here);
      expect(first).toEqual({
        ...{ code: 0, err: "" },
        out: "job-1 will index .\nfollow it: algobrain jobs show job-1\n",
      });
      expect(await readJob(db, 1)).toMatchObject({ kind: "index", payload: { path: folder } });
      expect((await cli(["index", folder], here)).out).toContain(
        `job-1 is already indexing ${folder}`,
      );
      await rm(folder, { recursive: true });
    }));

  test("says at once that there is no such folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "algobrain-index-"));
    await writeFile(join(folder, "file"), "");
    const here = { cwd: folder, env: { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" } };
    expect(await cli(["index", "nowhere"], here)).toMatchObject({
      ...{
        code: 1,
        err: expect.stringContaining('cannot index "nowhere": there is nothing of that name'),
      },
    });
    expect((await cli(["index", "file"], here)).err).toContain('cannot index "file": it is a file');
    await rm(folder, { recursive: true });
  });
});

describe("audit verify", () => {
  test("counts the entries, and names the one that somebody changed", () =>
    withDatabase(async (db, url) => {
      for (const n of [1, 2, 3])
        await cli(["jobs", "add", "gc", "{}"], on(url)).then(({ out }) =>
          expect(out).toBe(`job-${n}\n`),
        );
      expect(await cli(words("audit verify"), on(url))).toEqual({
        ...{ code: 0, out: expect.stringMatching(/^3 entries, the chain holds\n/), err: "" },
      });
      await db.query("ALTER TABLE audit_log DISABLE TRIGGER audit_append_only");
      await db.query("UPDATE audit_log SET actor = 'somebody' WHERE seq = 2");
      expect(await cli(words("audit verify"), on(url))).toMatchObject({
        ...{ code: 1, out: expect.stringMatching(/^the chain is broken at entry 2 of 3\n/) },
      });
      const json = JSON.parse((await cli(words("audit verify --json"), on(url))).out);
      expect(json).toMatchObject({ ok: false, entries: 3, brokenAt: 2 });
    }));
});

describe("the real program", () => {
  test("adds, lists and shows; what reads it may leave in the middle", () =>
    withDatabase(async (db, url) => {
      await db.query(
        `INSERT INTO jobs (job_type, payload) SELECT 'index', jsonb_build_object('x', repeat('y', 2000)) FROM generate_series(1, 200)`,
      );
      const added = await bin(["jobs", "add", "score", '{"repo_id": "r1"}'], on(url));
      expect(added).toMatchObject({ code: 0, out: "job-201\n" });
      const { out } = await bin(words("jobs list --limit 200 --json"), on(url));
      expect(JSON.parse(out)).toHaveLength(200);
      expect((await bin(words("jobs show job-201"), on(url))).out).toMatch(
        /^job-201 {2}score {2}pending\n/,
      );
      expect(await bin(words("jobs shwo job-1"), on(url))).toMatchObject({ code: 2, out: "" });
      const line = `"${process.execPath}" "${BIN}" jobs list --limit 200 --json | head -c 10`;
      expect(await program("sh", ["-c", line], on(url))).toEqual({
        ...{ code: 0, out: '[{"seq":20', err: "" },
      });
    }));
});

describe("a database that this program cannot work on", () => {
  test("one without its tables is refused, and looking at it makes none", async () => {
    const { db, url, drop } = await createEmptyDatabase();
    try {
      const { code, out, err } = await cli(words("jobs list"), on(url));
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(
        /^jobs: this database lacks \d+ migrations of this program: 001_initial_schema, /,
      );
      expect(err).toContain("algobrain db migrate");
      const { rows } = await db.query(
        "SELECT to_regclass('jobs') AS jobs, to_regclass('migrations') AS migrations",
      );
      expect(rows).toEqual([{ jobs: null, migrations: null }]);
    } finally {
      await drop();
    }
  });
});
