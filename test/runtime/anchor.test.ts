/** Anchors outside the database, in a folder and in a bucket: what they find that the chain's own hashes do not. */
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createS3Anchors } from "../../src/adapter/aws-s3-anchors.js";
import { type StandInS3, startStandInS3 } from "../../src/adapter/stand-in/s3.js";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { AnchorPlace } from "../../src/runbook/port.js";
import { anchorAudit, describeContradiction, listAnchors } from "../../src/runtime/anchor-audit.js";
import { createAnchorFolder } from "../../src/runtime/anchor-folder.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { anchorAuditTick } from "../../src/runtime/tick/anchor-audit.js";
import { findContradiction } from "../../src/store/anchors.js";
import { appendAudit, verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const never = new AbortController().signal;
const BUCKET = "anchors";

let lent: TestDatabase;
let db: Database;
let folder: string;
let s3: StandInS3;

beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
  s3 = await startStandInS3([BUCKET]);
});
afterAll(async () => {
  await s3.close();
  await lent.drop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-anchors-"));
  for (const path of s3.objects.keys()) s3.remove(path);
  await db.query("ALTER TABLE audit_log ENABLE TRIGGER ALL");
  await db.query("TRUNCATE public.audit_log, control.audit_anchor");
  await db.query(`UPDATE control.audit_head SET seq = 0, hash = '\\x00', kept_from = 1`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fill(count: number): Promise<void> {
  for (let n = 1; n <= count; n++)
    await appendAudit(db, { actor: "cli:ann", action: "test.done", target: `thing-${n}` });
}

/** What whoever owns the database could do, and leave a chain that holds. */
async function rewriteFrom(seq: number): Promise<void> {
  await db.query("ALTER TABLE audit_log DISABLE TRIGGER ALL");
  await db.query(
    `UPDATE audit_log SET actor = 'nobody' WHERE seq = ${seq};
     DO $$ DECLARE l record; last bytea := coalesce((SELECT hash FROM audit_log WHERE seq = ${seq - 1}), '\\x00'); BEGIN
       FOR l IN SELECT * FROM audit_log WHERE seq >= ${seq} ORDER BY seq LOOP
         UPDATE audit_log SET prev_hash = last,
           hash = control.audit_hash(last, l.seq, l.created_at, l.actor, l.action, l.target, l.details)
         WHERE seq = l.seq RETURNING hash INTO last;
       END LOOP;
       UPDATE control.audit_head SET hash = last;
     END $$`,
  );
}

async function cutFrom(seq: number): Promise<void> {
  await db.query("ALTER TABLE audit_log DISABLE TRIGGER ALL");
  await db.query(
    `DELETE FROM audit_log WHERE seq >= ${seq};
     UPDATE control.audit_head SET seq = ${seq - 1}, hash = (SELECT hash FROM audit_log WHERE seq = ${seq - 1})`,
  );
}

const anchor = (place: AnchorPlace) =>
  anchorAudit({ db, clock: systemClock, place, system: "algobrain" }, never);

/** What `audit verify` finds: by the hashes alone, and by the anchors. */
async function verify(place: AnchorPlace): Promise<{ chain: boolean; anchors: string | null }> {
  const found = await findContradiction(db, await listAnchors(place, never));
  const { ok } = await verifyAudit(db);
  return { chain: ok, anchors: found && describeContradiction(found) };
}

const PLACES: Readonly<Record<string, () => AnchorPlace>> = {
  "a folder": () => createAnchorFolder(join(folder, "anchors")),
  "S3 with Object Lock": () =>
    createS3Anchors({
      ...{ bucket: BUCKET, prefix: "prod", region: "us-east-1", endpointUrl: s3.url },
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      now: () => systemClock.now(),
    }),
};

describe.each(Object.entries(PLACES))("anchors in %s", (_, open) => {
  test("say nothing about a log that nobody has touched", async () => {
    const place = open();
    await fill(3);
    expect(await anchor(place)).toMatchObject({ outcome: "stored", seq: 3 });
    expect(await anchor(place)).toEqual({ outcome: "nothing-new", seq: 3 });
    await fill(2);
    expect(await anchor(place)).toMatchObject({ outcome: "stored", seq: 5 });
    expect(await verify(place)).toEqual({ chain: true, anchors: null });
  });

  test("find a chain whose every hash was made anew", async () => {
    const place = open();
    await fill(5);
    await anchor(place);
    await fill(2);
    await rewriteFrom(2);
    expect(await verify(place)).toEqual({
      chain: true,
      anchors: expect.stringMatching(
        /^it was rewritten before or at entry 5, which was anchored on /,
      ),
    });
  });

  test("find an end that was cut off together with its head", async () => {
    const place = open();
    await fill(5);
    await anchor(place);
    await cutFrom(4);
    expect(await verify(place)).toEqual({
      chain: true,
      anchors: expect.stringMatching(/^entry 5, which was anchored on .* is not there any more$/),
    });
  });

  test("find a beginning that was cut off and called old", async () => {
    const place = open();
    await fill(2);
    await anchor(place);
    await fill(3);
    await db.query("ALTER TABLE audit_log DISABLE TRIGGER ALL");
    await db.query("DELETE FROM audit_log WHERE seq <= 3");
    await db.query("UPDATE control.audit_head SET kept_from = 4");
    expect(await verify(place)).toMatchObject({
      chain: true,
      anchors: expect.stringContaining("entry 2"),
    });
  });

  test("are not made of a chain that is broken", async () => {
    const place = open();
    await fill(3);
    await anchor(place);
    await fill(2);
    await db.query("ALTER TABLE audit_log DISABLE TRIGGER ALL");
    await db.query("UPDATE audit_log SET actor = 'nobody' WHERE seq = 4");
    await expect(anchor(place)).rejects.toMatchObject({
      ...{ kind: "critical", code: "AUDIT_CHAIN_BROKEN" },
      message: expect.stringContaining("broken at entry 4"),
    });
    expect(await listAnchors(place, never)).toHaveLength(1);
  });

  test("are read over several pages, and never replaced", async () => {
    const place = open();
    for (let n = 0; n < 7; n++) expect(await place.put(`name-${n}`, "{}", never)).toBe("stored");
    expect(await place.put("name-3", "other", never)).toBe("exists");
    expect([...(await place.list(never))].sort()).toHaveLength(7);
  });
});

test("an anchor in a folder can be read and not written; in S3 nobody may remove it for more than a year", async () => {
  await fill(1);
  await anchor(PLACES["a folder"]!());
  const [name] = await readdir(join(folder, "anchors"));
  expect((await stat(join(folder, "anchors", name!))).mode & 0o777).toBe(0o400);
  await writeFile(join(folder, "anchors", "notes.txt"), "somebody's");
  expect(await listAnchors(PLACES["a folder"]!(), never)).toHaveLength(1);
  await fill(1);
  await anchor(PLACES["S3 with Object Lock"]!());
  const [stored] = [...s3.objects.values()];
  const yearAway = systemClock.now().getTime() + 365 * 86_400_000;
  expect(stored?.lockedUntil?.getTime()).toBeGreaterThan(yearAway);
});

test("the leader that finds the log changed wakes somebody, once an hour at most", async () => {
  const place = PLACES["a folder"]!();
  const words: RuntimeWord[] = [];
  const tick = anchorAuditTick({
    ...{ db, clock: systemClock, place, system: "algobrain", log: silentLogger },
    notify: async (_, word) => void words.push(word),
  });
  await fill(3);
  await tick.run(systemClock.now(), never);
  await fill(1);
  await rewriteFrom(2);
  await expect(tick.run(systemClock.now(), never)).rejects.toMatchObject({
    code: "AUDIT_CHAIN_BROKEN",
  });
  expect(words).toMatchObject([
    { audience: "critical", severity: "sev1", key: "audit-chain-broken" },
  ]);
  expect(tick.everyMs).toBe(3_600_000);
});
