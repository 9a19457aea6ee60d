/** export on a real database, to real files and to a stand-in for S3: every row once, whatever happens in between. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createS3Export } from "../../../src/adapter/aws-s3-export.js";
import { type StandInS3, startStandInS3 } from "../../../src/adapter/stand-in/s3.js";
import { fault } from "../../../src/base/fault.js";
import type { JsonObject } from "../../../src/base/json.js";
import type { ExportTarget } from "../../../src/job/export-port.js";
import { createDirectoryExport } from "../../../src/runtime/handler/directory-export.js";
import { createExportHandler, type ExportDeps } from "../../../src/runtime/handler/export.js";
import { deleteFiles, listFilesBefore } from "../../../src/runtime/handler/exports-folder.js";
import { exportsSource } from "../../../src/runtime/sample/exports.js";
import { appendAudit } from "../../../src/store/audit.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { makeContext } from "../../support/job-context.js";

/** Small, so that a few thousand rows are several parts. */
const PART_BYTES = 16_384;
const ROWS = 6_000;

let at: TestDatabase;
let exportsDir: string;
let s3: StandInS3;
let bucket: ExportTarget;
beforeAll(async () => {
  at = await createTestDatabase();
  exportsDir = await mkdtemp(join(tmpdir(), "algobrain-export-"));
  s3 = await startStandInS3(["exports"], PART_BYTES);
  bucket = createS3Export({
    ...{ bucket: "exports", prefix: "", region: "us-east-1", endpointUrl: s3.url },
    ...{ credentials: { accessKeyId: "test", secretAccessKey: "test" }, timeoutMs: 60_000 },
  });
  await at.db.query(
    `INSERT INTO events (delivery_id, event_type, payload, created_at)
     SELECT 'd' || n, 'push', jsonb_build_object('n', n, 'text', E'=a\\n"b', 'digest', md5(n::text)),
       timestamptz '2026-01-01T00:00Z' + n * interval '1 minute'
     FROM generate_series(1, $1::int) n`,
    [ROWS],
  );
});
afterAll(async () => {
  await s3.close();
  await rm(exportsDir, { recursive: true });
  await at.drop();
});

const clock: ExportDeps["clock"] = { now: () => new Date(), sleep: async () => {} };
let jobs = 0;
const nextJob = () => {
  jobs++;
  return jobs;
};

interface Result {
  readonly file: string;
  readonly manifest: string;
  readonly rows: number;
  readonly bytes: number;
  readonly parts: number;
  readonly checksum: string;
  readonly sha256: string | null;
}

async function run(seq: number, payload: JsonObject, deps: Partial<ExportDeps> = {}) {
  const made = { db: at.db, clock, exportsDir, exportPartBytes: PART_BYTES };
  const handler = createExportHandler({ ...made, exportBucket: bucket, ...deps });
  return (await handler.run(makeContext({ kind: "export", seq, payload }))) as unknown as Result;
}

const TO_DIRECTORY = { entity: "events", to: "directory" };
const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const linesOf = (bytes: Buffer) => gunzipSync(bytes).toString().trimEnd().split("\n");
const inBucket = (name: string) => s3.objects.get(`exports/${name}`)!.bytes;

test("every row is a line, in order; the manifest proves it; nothing else is left in the folder", async () => {
  const done = await run(nextJob(), TO_DIRECTORY);
  const bytes = await readFile(done.file);
  expect(done).toMatchObject({
    file: join(exportsDir, `events-job-${jobs}.ndjson.gz`),
    ...{ rows: ROWS, bytes: bytes.length, sha256: digest(bytes) },
  });
  const lines = linesOf(bytes).map(
    (line) => JSON.parse(line) as { id: number; payload: JsonObject },
  );
  expect(lines.map(({ payload }) => payload.n)).toEqual(
    Array.from({ length: ROWS }, (_, i) => i + 1),
  );
  expect(lines[0]).toMatchObject({ created_at: "2026-01-01T00:01:00+00:00", delivery_id: "d1" });
  const manifest = JSON.parse(await readFile(done.manifest, "utf8")) as {
    parts: { bytes: number; sha256: string }[];
  };
  expect(manifest).toMatchObject({ rows: ROWS, sha256: done.sha256, checksum: done.checksum });
  expect(manifest.parts.length).toBeGreaterThan(4);
  let offset = 0;
  for (const part of manifest.parts) {
    // Each is a file of its own.
    const member = bytes.subarray(offset, offset + part.bytes);
    expect(digest(member)).toBe(part.sha256);
    expect(linesOf(member).length).toBeGreaterThan(100);
    offset += part.bytes;
  }
  const name = `events-job-${jobs}.ndjson.gz`;
  expect((await readdir(exportsDir)).sort()).toEqual([name, `${name}.manifest.json`]);
});

test("CSV has the same rows under a heading, and nothing that a spreadsheet would run", async () => {
  await at.db.query("INSERT INTO repos (id, name) VALUES ('r1', 'one')");
  await at.db.query(
    `INSERT INTO scores (repo_id, score, parts, computed_at, commit)
     VALUES ('r1', 52.5, '{"a": "x,y"}', '2026-01-01T00:00Z', '=cmd|calc')`,
  );
  const done = await run(nextJob(), { entity: "scores", format: "csv", to: "directory" });
  expect(gunzipSync(await readFile(done.file)).toString()).toBe(
    "id,repo_id,score,computed_at,parts,formula,commit\r\n" +
      `1,r1,52.5,2026-01-01T00:00:00+00:00,"{""a"": ""x,y""}",,'=cmd|calc\r\n`,
  );
  const events = await run(nextJob(), { ...TO_DIRECTORY, format: "csv" });
  expect(events.rows).toBe(ROWS);
  expect(gunzipSync(await readFile(events.file)).toString()).toContain(
    `\r\n7,d7,github,push,,"{""n"": 7, ""text"": ""=a\\n\\""b"",`,
  );
});

test("the audit log has its hashes as hex; a table without rows is a file without rows", async () => {
  await appendAudit(at.db, { actor: "test", action: "thing.done", target: "thing" });
  const audit = await run(nextJob(), { entity: "audit", to: "directory" });
  const [line] = linesOf(await readFile(audit.file));
  expect(JSON.parse(line!)).toMatchObject({
    seq: 1,
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const none = { entity: "events", until: "2020-01-01", to: "directory" };
  const empty = await run(nextJob(), none);
  expect(empty).toMatchObject({ rows: 0, parts: 1 });
  expect(gunzipSync(await readFile(empty.file)).toString()).toBe("");
  const heading = await run(nextJob(), { ...none, format: "csv" });
  expect(gunzipSync(await readFile(heading.file)).toString()).toMatch(/^id,delivery_id,.*\r\n$/);
});

test("a span takes the rows that were written from since on and before until", async () => {
  const span = { since: "2026-01-01T00:10:00Z", until: "2026-01-01T00:13:00Z" };
  const done = await run(nextJob(), { ...TO_DIRECTORY, ...span });
  const rows = linesOf(await readFile(done.file)).map((line) => JSON.parse(line) as { id: number });
  expect(rows.map(({ id }) => id)).toEqual([10, 11, 12]);
});

test.each<[string, JsonObject, string, string]>([
  ["no time between", { since: "2026-01-02", until: "2026-01-02" }, "data", "EXPORT_SPAN_INVALID"],
  ["no such day", { since: "2026-02-31" }, "data", "EXPORT_SPAN_INVALID"],
  ["no bucket", { to: "s3" }, "refused", "EXPORT_TARGET_NOT_CONFIGURED"],
])("%s is refused before anything is written", async (_, payload, kind, code) => {
  const asked = run(nextJob(), { entity: "events", ...payload }, { exportBucket: null });
  await expect(asked).rejects.toMatchObject({ kind, code });
  expect((await readdir(exportsDir)).join(" ")).not.toContain(`job-${jobs}.`);
});

test("rows of any size keep their order, and memory holds few of the large ones", async () => {
  const large = 300_000;
  await at.db.transaction(async (tx) => {
    await tx.query(
      `INSERT INTO events (event_type, created_at, payload)
       SELECT 'large', '2025-01-01', jsonb_build_object('text', repeat('x', CASE WHEN n % 2 = 0 THEN $1::int ELSE 1 END))
       FROM generate_series(1, 6) n`,
      [large],
    );
  });
  const done = await run(nextJob(), { ...TO_DIRECTORY, until: "2025-06-01" });
  const rows = linesOf(await readFile(done.file)).map((line) => line.length > large);
  expect(rows).toEqual([false, true, false, true, false, true]);
  await at.db.query("DELETE FROM events WHERE event_type = 'large'");
});

/** Dies at the nth call, before it has an effect or after, and stays dead. 0: never. */
function mortal(target: ExportTarget, callOfDeath: number, isAfter: boolean) {
  let calls = 0;
  const dying = async <T>(call: () => Promise<T>): Promise<T> => {
    calls++;
    const isDead = callOfDeath > 0 && calls >= callOfDeath;
    if (isDead && !(isAfter && calls === callOfDeath)) throw fault.critical("KILLED", "dead");
    const answer = await call();
    if (isDead) throw fault.critical("KILLED", "dead");
    return answer;
  };
  const wrapped: ExportTarget = {
    name: target.name,
    begin: (...asked) => dying(() => target.begin(...asked)),
    put: (...asked) => dying(() => target.put(...asked)),
    parts: (...asked) => dying(() => target.parts(...asked)),
    complete: (...asked) => dying(() => target.complete(...asked)),
    abort: (...asked) => dying(() => target.abort(...asked)),
    writeSmall: (...asked) => dying(() => target.writeSmall(...asked)),
  };
  return { target: wrapped, calls: () => calls };
}

const DEATHS = { "before it has an effect": false, "after it": true };

describe.each(["a folder", "S3"])("killed at any call to %s", (place) => {
  const target = () => (place === "S3" ? bucket : createDirectoryExport(exportsDir));
  const read = async (name: string) =>
    place === "S3" ? inBucket(name) : readFile(join(exportsDir, name));
  const payload = { entity: "events", to: "s3", until: "2026-01-03" };
  const nameOf = (seq: number) => `events-job-${seq}.ndjson.gz`;

  test.each(Object.entries(DEATHS))(
    "%s, the next attempt ends with the same bytes",
    async (_, isAfter) => {
      const undisturbed = nextJob();
      const counted = mortal(target(), 0, false);
      const { checksum, rows, parts } = await run(undisturbed, payload, {
        exportBucket: counted.target,
      });
      const bytes = await read(nameOf(undisturbed));
      for (let call = 1; call <= counted.calls(); call++) {
        const seq = nextJob();
        const first = run(seq, payload, { exportBucket: mortal(target(), call, isAfter).target });
        await expect(first, `call ${call}`).rejects.toMatchObject({ code: "KILLED" });
        const second = await run(seq, payload, { exportBucket: target() });
        expect(second, `call ${call}`).toMatchObject({ checksum, rows, parts });
        expect((await read(nameOf(seq))).equals(bytes), `call ${call}`).toBe(true);
      }
    },
  );
});

describe("taken up again", () => {
  const toBucket = { entity: "events" };
  const dieAt = (seq: number, call: number, payload: JsonObject = toBucket) => {
    const { target } = mortal(bucket, call, true);
    const killed = run(seq, payload, { exportBucket: target });
    return expect(killed).rejects.toMatchObject({ code: "KILLED" });
  };

  test("rows that came after the beginning are not in it", async () => {
    const seq = nextJob();
    await dieAt(seq, 3);
    await at.db.query("INSERT INTO events (event_type) VALUES ('late')");
    expect(await run(seq, toBucket)).toMatchObject({ rows: ROWS });
    expect(await run(nextJob(), toBucket)).toMatchObject({ rows: ROWS + 1 });
    await at.db.query("DELETE FROM events WHERE event_type = 'late'");
  });

  test("a connection to the database that is lost in the midst costs what was not sent yet", async () => {
    const seq = nextJob();
    const target: ExportTarget = {
      ...bucket,
      put: async (upload, part, signal) => {
        const answer = await bucket.put(upload, part, signal);
        if (part.number === 2)
          await at.db.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query IN ('ROLLBACK', 'COMMIT') AND pid <> pg_backend_pid()`,
          );
        return answer;
      },
    };
    const cut = run(seq, toBucket, { exportBucket: target });
    await expect(cut).rejects.toMatchObject({ kind: "transient", code: "DATABASE_UNAVAILABLE" });
    const second = mortal(bucket, 0, false);
    expect(await run(seq, toBucket, { exportBucket: second.target })).toMatchObject({ rows: ROWS });
  });

  test("what is already there is not sent again", async () => {
    const seq = nextJob();
    const { target, calls } = mortal(bucket, 0, false);
    const { parts } = await run(nextJob(), toBucket, { exportBucket: target });
    const whole = calls();
    await dieAt(seq, 4);
    const second = mortal(bucket, 0, false);
    await run(seq, toBucket, { exportBucket: second.target });
    // Without a beginning, with a list, and without the first two parts.
    expect(second.calls()).toBe(whole - 2);
    expect(parts).toBeGreaterThan(4);
  });

  test("a job that had ended says the same again and changes nothing", async () => {
    const seq = nextJob();
    const first = await run(seq, toBucket);
    const { version } = s3.objects.get(`exports/events-job-${seq}.ndjson.gz`)!;
    expect(await run(seq, toBucket)).toEqual(first);
    expect(s3.objects.get(`exports/events-job-${seq}.ndjson.gz`)!.version).toBe(version);
  });

  test("another payload begins anew, and ends the upload that is of no more use", async () => {
    const seq = nextJob();
    await dieAt(seq, 3);
    const before = s3.uploads.open().length;
    const done = await run(seq, { ...toBucket, format: "csv", until: "2026-01-01T00:05:00Z" });
    expect(done).toMatchObject({ file: `s3://exports/events-job-${seq}.csv.gz`, rows: 4 });
    expect(s3.uploads.open()).toHaveLength(before - 1);
  });

  test("an upload that somebody removed is begun anew by the attempt after", async () => {
    const seq = nextJob();
    await dieAt(seq, 3);
    s3.uploads.forget();
    const lost = { kind: "transient", code: "EXPORT_UPLOAD_GONE" };
    await expect(run(seq, toBucket)).rejects.toMatchObject(lost);
    expect(await run(seq, toBucket)).toMatchObject({ rows: ROWS });
  });

  test("two attempts at once end in one whole file; who comes late is told so", async () => {
    const seq = nextJob();
    await dieAt(seq, 2);
    const both = await Promise.allSettled([run(seq, toBucket), run(seq, toBucket)]);
    const late = both.flatMap((end) => (end.status === "rejected" ? [end.reason as Error] : []));
    for (const error of late)
      expect(error).toMatchObject({
        code: expect.stringMatching(/^EXPORT_(TAKEN_OVER|UPLOAD_GONE)$/),
      });
    const done = await run(seq, toBucket);
    expect(done).toMatchObject({ rows: ROWS });
    expect(linesOf(inBucket(`events-job-${seq}.ndjson.gz`))).toHaveLength(ROWS);
  });
});

test("a connection that is cut once costs no attempt", async () => {
  s3.misbehave(
    { kind: "honest" },
    { kind: "cut-request" },
    { kind: "honest" },
    { kind: "drop-answer" },
  );
  const done = await run(nextJob(), { entity: "events" });
  expect(done).toMatchObject({ rows: ROWS, sha256: null });
  expect(linesOf(inBucket(`events-job-${jobs}.ndjson.gz`))).toHaveLength(ROWS);
});

test("a job that is stopped stops, and keeps what it has for the next attempt", async () => {
  const seq = nextJob();
  const stop = new AbortController();
  const target: ExportTarget = {
    ...bucket,
    put: async (...asked) => {
      const answer = await bucket.put(...asked);
      stop.abort();
      return answer;
    },
  };
  const handler = createExportHandler({
    ...{ db: at.db, clock, exportsDir, exportPartBytes: PART_BYTES, exportBucket: target },
  });
  const context = makeContext({ seq, payload: { entity: "events" }, signal: stop.signal });
  await expect(handler.run(context)).rejects.toThrow(/abort/);
  const { rows } = await at.db.query("SELECT number FROM control.export_part WHERE job_seq = $1", [
    seq,
  ]);
  expect(rows).toEqual([{ number: 1 }]);
});

test("tells how far it is, by the keys that it has behind it", async () => {
  const handler = createExportHandler({ db: at.db, clock, exportsDir });
  const context = makeContext({ seq: nextJob(), payload: { entity: "events" } });
  await handler.run(context);
  expect(context.reached.slice(0, 2)).toEqual([
    { fraction: 1 / 6, note: "1000 rows, part 1" },
    { fraction: 2 / 6, note: "2000 rows, part 1" },
  ]);
  expect(context.reached.at(-1)).toEqual({ fraction: 0.99, note: "6000 rows, part 1" });
});

test("retention finds all that exports leave in the folder, finished or not", async () => {
  await run(nextJob(), TO_DIRECTORY);
  const { target } = mortal(createDirectoryExport(exportsDir), 3, true);
  await run(nextJob(), { entity: "events" }, { exportBucket: target }).catch((error: unknown) => {
    expect(error).toMatchObject({ code: "KILLED" });
  });
  const all = (await readdir(exportsDir)).map((name) => join(exportsDir, name)).sort();
  const old = await listFilesBefore(exportsDir, new Date(Date.now() + 60_000));
  expect(old).toEqual(all);
  await deleteFiles(old);
});

test("the samples count what ended within a day, and zero where nothing did", async () => {
  const seq = nextJob();
  const { rows, bytes } = await run(seq, TO_DIRECTORY);
  // By itself on its day.
  await at.db.query(
    "UPDATE control.export_run SET ended_at = '2031-05-05T12:00Z' WHERE job_seq = $1",
    [seq],
  );
  const valuesOn = async (day: string) => {
    const samples = await exportsSource(at.db).collect(new Date(day));
    return Object.fromEntries(samples.map(({ metric, value }) => [metric, value]));
  };
  expect(await valuesOn("2031-05-06T11:00:00Z")).toEqual({
    "algobrain.export.rows": rows,
    "algobrain.export.bytes": bytes,
  });
  expect(await valuesOn("2031-05-08")).toEqual({
    "algobrain.export.rows": 0,
    "algobrain.export.bytes": 0,
  });
});
