/** The stop switch with its real file, and the real row beside it or a database that is away. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import { createStopSwitch } from "../../src/runtime/stop-file.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Sql } from "../../src/store/database.js";
import { clearStopRow, readStopRow } from "../../src/store/stop-switch.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const ANN = { by: "ann", reason: "storm of restarts" };
const BOB = { by: "bob", reason: "cause found" };

let lent: TestDatabase;
let folder: string;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stop-"));
});
afterEach(async () => {
  await clearStopRow(lent.db, BOB);
  await rm(folder, { recursive: true });
});

const away: Sql = {
  query: () => Promise.reject(fault.transient("DATABASE_UNAVAILABLE", "connection refused")),
};
/** A machine with its own folder, whose time goes on by two seconds with each look: nothing is fresh. */
function machine(name: string, db: Sql = lent.db) {
  let nowMs = Date.parse("2026-03-01T03:00:00Z");
  const file = join(folder, name, "STOP");
  const clock = {
    now: () => {
      nowMs += 2_000;
      return new Date(nowMs);
    },
    // Its deadlines never come.
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve())),
  };
  const line = { db };
  const sql: Sql = { query: (...args) => line.db.query(...args) };
  return { file, line, ...createStopSwitch({ db: sql, file, clock, log: silentLogger }) };
}

describe("with the database there", () => {
  test("a stop reaches every machine, and says who and why", async () => {
    const [one, other] = [machine("one"), machine("other")];
    expect(await one.read()).toBeNull();
    expect(await one.set(ANN)).toEqual({ file: true, database: true });
    expect(await one.read()).toMatchObject({ ...ANN, from: "file" });
    expect(one.readLocal()).toMatchObject(ANN);
    expect(await other.read()).toMatchObject({ ...ANN, from: "database" });
    expect(other.readLocal()).toBeNull();
  });

  test("whoever lets it go on, on any machine, lets it go on everywhere", async () => {
    const [one, other] = [machine("one"), machine("other")];
    await one.set(ANN);
    expect(await other.clear(BOB)).toEqual({ file: true, database: true });
    expect(await one.read()).toBeNull();
    expect(existsSync(one.file)).toBe(false);
  });

  test("the first stop's words stand in the row, and each change is audited once", async () => {
    const one = machine("one");
    const before = (await readAuditOfTarget(lent.db, "stop-switch")).length;
    await one.set(ANN);
    await one.set({ by: "cleo", reason: "again" });
    expect(await readStopRow(lent.db)).toMatchObject({ active: true, ...ANN });
    await one.clear(BOB);
    await one.clear(BOB);
    const said = (await readAuditOfTarget(lent.db, "stop-switch")).slice(before);
    expect(said.map(({ actor, action }) => [actor, action])).toEqual([
      ["ann", "runs.stopped"],
      ["bob", "runs.resumed"],
    ]);
  });

  test("a file made by hand stops, and is told to all", async () => {
    const [one, other] = [machine("one"), machine("other")];
    await mkdir(join(folder, "one"));
    await writeFile(one.file, "");
    expect(await one.read()).toMatchObject({ by: "whoever made the stop file" });
    expect(await other.read()).toMatchObject({ from: "database" });
    await other.clear(BOB);
    expect(await one.read()).toBeNull();
  });

  test.each([
    ["no JSON", "stop it all", "stop it all"],
    ["JSON of something else", "[1]", "the stop file does not say why"],
    ["half a line", '{"by":"ann","rea', '{"by":"ann","rea'],
  ])("%s stops too", async (_claim, text, reason) => {
    const one = machine("one");
    await mkdir(join(folder, "one"));
    await writeFile(one.file, text);
    expect(one.readLocal()).toMatchObject({ reason });
  });

  test("what stands there instead of a file stops too", async () => {
    const one = machine("one");
    await mkdir(one.file, { recursive: true });
    expect(one.readLocal()?.reason).toContain("cannot be read (EISDIR)");
  });
});

describe("with the database away", () => {
  test("a stop works on this machine, and says that it works there alone", async () => {
    const one = machine("one", away);
    expect(await one.set(ANN)).toEqual({ file: true, database: false });
    expect(await one.read()).toMatchObject({ ...ANN, from: "file" });
    expect(JSON.parse(readFileSync(one.file, "utf8"))).toMatchObject(ANN);
  });

  test("the others learn of it when the database is back", async () => {
    const [one, other] = [machine("one", away), machine("other")];
    await one.set(ANN);
    expect(await other.read()).toBeNull();
    one.line.db = lent.db;
    await one.read();
    expect(await other.read()).toMatchObject({ ...ANN, from: "database" });
    await other.clear(BOB);
    expect(await one.read()).toBeNull();
  });

  test("a stop that was seen before holds", async () => {
    const [one, other] = [machine("one"), machine("other")];
    await one.set(ANN);
    expect(await other.read()).not.toBeNull();
    other.line.db = away;
    expect(await other.read()).toMatchObject({ ...ANN, from: "database" });
    expect(await other.clear(BOB)).toEqual({ file: true, database: false });
    expect(await other.read()).not.toBeNull();
  });

  test("nothing is stopped that nobody stopped", async () => {
    expect(await machine("one", away).read()).toBeNull();
  });

  test("where nothing can be written, whoever pulls the switch is told what to do", async () => {
    await writeFile(join(folder, "one"), "a file where the folder should be");
    await expect(machine("one", away).set(ANN)).rejects.toMatchObject({
      code: "STOP_NOT_SET",
      hint: expect.stringContaining("by hand"),
    });
  });
});
