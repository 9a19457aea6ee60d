/** The journal with a disk that is torn, full or shared, and its replay into a database that goes away in the midst of it. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import type { JournalEntry } from "../../src/runbook/journal.js";
import { formatLine, JOURNAL_START, readLines } from "../../src/runbook/journal-line.js";
import { FileJournal, JOURNAL_BYTES_MAX } from "../../src/runtime/journal.js";
import { type JournalFiles, openJournalFiles } from "../../src/runtime/journal-files.js";
import { type Replayed, replayJournal, tidyJournal } from "../../src/runtime/replay-journal.js";
import { replayJournalTick } from "../../src/runtime/tick/replay-journal.js";
import { verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { recordInbound } from "../../src/store/inbound.js";
import { listJournalEntries } from "../../src/store/journal-entries.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const never = new AbortController().signal;

const command = (id: string): JournalEntry => ({
  ...{ kind: "inbound", key: `slack/${id}`, source: "slack", deliveryId: id },
  ...{ eventType: "slash_command", body: { team: "T1", user: "U1", channel: "C1", text: id } },
});
const PAGE: JournalEntry = {
  ...{ kind: "page", key: "page/1", dedupKey: "algobrain/database-down/all", title: "away" },
  ...{ severity: "sev1", reference: "Q1" },
};

let lent: TestDatabase;
let folder: string;
let files: JournalFiles;

beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-journal-"));
  files = openJournalFiles(join(folder, "journal"));
  await lent.db.query(
    "TRUNCATE control.inbound, control.journal_entry, public.jobs RESTART IDENTITY CASCADE",
  );
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((journal) => journal.close()));
  await rm(folder, { recursive: true, force: true });
});

const opened: FileJournal[] = [];
function open(pid = 1, on: JournalFiles = files): FileJournal {
  const journal = new FileJournal({ files: on, clock: systemClock, log: silentLogger, pid });
  opened.push(journal);
  return journal;
}

const replay = (db: Database = lent.db): Promise<Replayed> =>
  replayJournal(
    {
      ...{ files, db, log: silentLogger, host: "machine-1" },
      takeInbound: async (tx, entry) => {
        const { fresh } = await recordInbound(tx, entry);
        return fresh ? "kept" : "already here";
      },
    },
    never,
  );

const names = async () => (await readdir(join(folder, "journal"))).sort();
const textOf = async (name: string) => readFile(join(folder, "journal", name), "utf8");

/** Delivery ids of all commands in the database, and how many jobs they have. */
async function rows(): Promise<{ ids: string[]; jobs: number }> {
  const { rows: inbound } = await lent.db.query<{ id: string }>(
    "SELECT delivery_id AS id FROM control.inbound ORDER BY id",
  );
  const { rowCount: jobs } = await lent.db.query("SELECT FROM public.jobs");
  return { ids: inbound.map(({ id }) => id), jobs };
}

describe("a line", () => {
  const two = () => {
    const first = formatLine({ n: 1, at: "t1", entry: command("a") }, JOURNAL_START);
    const second = formatLine({ n: 2, at: "t2", entry: PAGE }, first.sum);
    return { first: first.text, second: second.text };
  };

  test("is read as it was written", () => {
    const { first, second } = two();
    const { lines, trouble } = readLines(first + second);
    expect(lines.map(({ entry }) => entry)).toEqual([command("a"), PAGE]);
    expect(trouble).toBeNull();
  });

  test("with one byte changed is not believed, nor what stands behind it", () => {
    const { first, second } = two();
    for (const at of [3, 20, first.indexOf("T1"), first.length - 5]) {
      const changed = `${first.slice(0, at)}${first[at] === "0" ? "1" : "0"}${first.slice(at + 1)}`;
      expect(readLines(changed + second), `byte ${at}`).toMatchObject({
        ...{ lines: [], trouble: { kind: "broken", line: 1 } },
      });
    }
  });

  test("that was cut out from between is missed", () => {
    const { first, second } = two();
    expect(readLines(second).trouble).toEqual({ kind: "broken", line: 1 });
    expect(readLines(first + first).trouble).toEqual({ kind: "broken", line: 2 });
  });

  test("without its end is no line, wherever it was torn; what stands before it holds", () => {
    const { first, second } = two();
    for (let length = 1; length < second.length; length++) {
      const { lines, trouble } = readLines(first + second.slice(0, length));
      expect(lines).toHaveLength(1);
      expect(trouble).toEqual({ kind: "torn", line: 2 });
    }
  });
});

describe("the journal", () => {
  test("keeps an entry on the disk, for its owner alone, and says so", async () => {
    expect(await open().append(command("a"))).toBe("kept");
    const [name] = await names();
    expect(readLines(await textOf(name!)).lines).toHaveLength(1);
    expect((await stat(join(folder, "journal", name!))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "journal"))).mode & 0o777).toBe(0o700);
  });

  test("knows what it has, also what another process has kept", async () => {
    const mine = open(1);
    await mine.append(command("a"));
    expect(await mine.append(command("a"))).toBe("known");
    expect(await open(2).append(command("a"))).toBe("known");
    expect(await names()).toHaveLength(1);
    expect(mine.pending()).toBe(1);
  });

  test("of a full disk says that nothing was kept, leaves nothing of it, and goes on when there is room", async () => {
    let isFull = false;
    const journal = open(
      1,
      fullWhen(() => isFull),
    );
    await journal.append(command("a"));
    isFull = true;
    await expect(journal.append(command("b"))).rejects.toMatchObject({
      ...{ kind: "transient", code: "JOURNAL_REFUSED" },
      message: expect.stringContaining("no space left"),
    });
    isFull = false;
    await journal.append(command("c"));
    const kept = await Promise.all(
      (await names()).map(async (name) => readLines(await textOf(name))),
    );
    expect(kept.map(({ trouble }) => trouble)).toEqual([null, null]);
    await replay();
    expect((await rows()).ids).toEqual(["a", "c"]);
  });

  test("takes no more than its room, and leaves some that GitHub cannot fill", async () => {
    const sized = (bytes: number): JournalFiles => ({
      ...files,
      list: async () => [{ name: "1-1-1.jsonl", bytes, at: new Date(0) }],
      read: async () => "",
    });
    const push: JournalEntry = {
      ...command("p"),
      key: "github/p",
      source: "github",
    } as JournalEntry;
    const nearly = open(1, sized(JOURNAL_BYTES_MAX - 10_000_000));
    await expect(nearly.append(push)).rejects.toMatchObject({ code: "JOURNAL_REFUSED" });
    expect(await nearly.append(command("a"))).toBe("kept");
    const full = open(1, sized(JOURNAL_BYTES_MAX - 100));
    await expect(full.append(command("b"))).rejects.toMatchObject({ code: "JOURNAL_REFUSED" });
  });
});

/** A volume that takes half of a line and then no more. */
function fullWhen(isFull: () => boolean): JournalFiles {
  return {
    ...files,
    create: async (name) => {
      const file = await files.create(name);
      return {
        ...file,
        append: async (text) => {
          if (!isFull()) return file.append(text);
          await file.append(text.slice(0, text.length / 2));
          throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        },
      };
    },
  };
}

describe("the replay", () => {
  test("carries each entry over once, however often it is read", async () => {
    const journal = open();
    for (const id of ["a", "b", "c"]) await journal.append(command(id));
    await journal.append(PAGE);
    expect(await replay()).toEqual({ taken: 4, known: 0, refused: 0 });
    expect(await replay()).toEqual({ taken: 0, known: 0, refused: 0 });
    // A copy of the folder that somebody puts back.
    const [done] = await names();
    await writeFile(join(folder, "journal", "5-5-5.jsonl"), await textOf(done!));
    expect(await replay()).toEqual({ taken: 0, known: 4, refused: 0 });
    expect(await rows()).toEqual({ ids: ["a", "b", "c"], jobs: 3 });
    const { rows: audit } = await lent.db.query(
      "SELECT actor FROM audit_log WHERE action = 'page.sent-directly'",
    );
    expect(audit).toEqual([{ actor: "watchdog" }]);
    expect((await verifyAudit(lent.db)).ok).toBe(true);
  });

  test("finds what the database got all the same, and makes no second job of it", async () => {
    await open().append(command("a"));
    await lent.db.transaction((tx) =>
      recordInbound(tx, command("a") as Extract<JournalEntry, { kind: "inbound" }>),
    );
    await replay();
    expect(await rows()).toEqual({ ids: ["a"], jobs: 1 });
    expect(await listJournalEntries(lent.db, 5)).toMatchObject([{ outcome: "already here" }]);
  });

  test("that is cut short by the next outage goes on where it was", async () => {
    const journal = open();
    for (const id of ["a", "b", "c", "d"]) await journal.append(command(id));
    await expect(replay(awayAfter(2))).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(await names()).toEqual([expect.stringMatching(/\.taken$/)]);
    expect(journal.pending()).toBe(4);
    expect(await replay()).toEqual({ taken: 2, known: 2, refused: 0 });
    expect(await rows()).toEqual({ ids: ["a", "b", "c", "d"], jobs: 4 });
    expect(await names()).toEqual([expect.stringMatching(/\.done$/)]);
  });

  test("by its tick is quiet while the database is away", async () => {
    await open().append(command("a"));
    const deps = { files, log: silentLogger, host: "h", takeInbound: async () => "kept" };
    await replayJournalTick({ ...deps, db: awayAfter(0) }).run(new Date(), never);
    expect((await rows()).ids).toEqual([]);
  });

  test("beside writers and other readers loses nothing and doubles nothing", async () => {
    const writers = [open(1), open(2)];
    const ids = Array.from({ length: 40 }, (_, index) => `id-${index}`);
    let isWriting = true;
    const written = Promise.all(
      writers.map(async (journal, odd) => {
        for (const [index, id] of ids.entries())
          if (index % 2 === odd) await journal.append(command(id));
      }),
    ).then(() => {
      isWriting = false;
    });
    const reader = async () => {
      while (isWriting) await replay();
    };
    await Promise.all([written, reader(), reader()]);
    await replay();
    const { ids: found, jobs } = await rows();
    expect(found.sort()).toEqual([...ids].sort());
    expect(jobs).toBe(ids.length);
  });

  test("passes over what the database will never take, and keeps the reason", async () => {
    const journal = open();
    await journal.append({ ...command("bad"), body: { text: "\u0000" } } as JournalEntry);
    await journal.append(command("good"));
    expect(await replay()).toEqual({ taken: 1, known: 0, refused: 1 });
    expect((await rows()).ids).toEqual(["good"]);
    const outcomes = (await listJournalEntries(lent.db, 5)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(expect.arrayContaining([expect.stringMatching(/^refused: /), "kept"]));
  });

  test("of a changed file takes what stands before the change, and keeps the file for people", async () => {
    const journal = open();
    for (const id of ["a", "b", "c"]) await journal.append(command(id));
    const [name] = await names();
    const forged = (await textOf(name!)).replace('"text":"b"', '"text":"x"');
    await writeFile(join(folder, "journal", name!), forged);
    await replay();
    expect((await rows()).ids).toEqual(["a"]);
    expect(await names()).toEqual([expect.stringMatching(/\.broken$/)]);
  });

  test("puts files away for a week", async () => {
    await open().append(command("a"));
    await replay();
    await tidyJournal(files, new Date(systemClock.now().getTime() + 6 * 86_400_000));
    expect(await names()).toHaveLength(1);
    await tidyJournal(files, new Date(systemClock.now().getTime() + 8 * 86_400_000));
    expect(await names()).toEqual([]);
  });
});

/** Answers so many transactions, then nobody is there. */
function awayAfter(transactions: number): Database {
  let left = transactions;
  return {
    ...lent.db,
    transaction: (work) => {
      if (left-- > 0) return lent.db.transaction(work);
      return Promise.reject(fault.transient("DATABASE_UNAVAILABLE", "database: gone"));
    },
  };
}
