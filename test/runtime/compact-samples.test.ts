import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compactSamplesTick } from "../../src/runtime/tick/compact-samples.js";
import type { Database } from "../../src/store/database.js";
import { takeLease } from "../../src/store/lease.js";
import { insertSamples, readWindows } from "../../src/store/samples.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());
beforeEach(() =>
  db.query("TRUNCATE control.series, control.sample_round, control.sample_chunk, control.lease"),
);

const at = (hours: number) => new Date(Date.UTC(2026, 10, 22) + hours * 3_600_000);
const sample = (hours: number) => ({ metric: "m", labels: {}, at: at(hours), value: hours });
const signal = new AbortController().signal;

interface Line {
  readonly event: string;
  readonly fields: object | undefined;
}

function tick(holder = "one", on: Database = db) {
  const lines: Line[] = [];
  const write = (event: string, fields?: object) => void lines.push({ event, fields });
  const log = { debug: write, info: write, warn: write, error: write, child: () => log };
  return { tick: compactSamplesTick({ db: on, log, holder }), lines };
}

const left = async () =>
  (await db.query<{ slot: Date }>("SELECT slot FROM control.sample_round ORDER BY slot")).rows.map(
    ({ slot }) => (slot.getTime() - at(0).getTime()) / 3_600_000,
  );

describe("compacting", () => {
  it("folds whole blocks of two hours that ended two hours ago, and says what it did", async () => {
    await insertSamples(db, [0, 1, 5.9, 6, 7].map(sample));
    const { tick: compact, lines } = tick();
    await compact.run(at(9.5), signal);
    expect(await left()).toEqual([6, 7]);
    expect(lines).toEqual([
      { event: "samples.compacted", fields: { blocks: 2, rounds: 3, samples: 3 } },
    ]);
    const [series] = await readWindows(db, [{ metric: "m", from: at(-1) }], at(9));
    expect(series?.points.map(({ value }) => value)).toEqual([0, 1, 5.9, 6, 7]);
  });

  it("says nothing where there is nothing, and leaves it to another who is at it", async () => {
    const { tick: compact, lines } = tick();
    await insertSamples(db, [sample(7)]);
    await compact.run(at(9), signal);
    await insertSamples(db, [sample(0)]);
    await db.query("DELETE FROM control.lease");
    await takeLease(db, { name: "sample-compactor", holder: "another", ttlMs: 60_000 });
    await compact.run(at(9), signal);
    expect([lines, await left()]).toEqual([[], [0, 7]]);
  });

  it("stops between two blocks when the process does", async () => {
    await insertSamples(db, [0, 2].map(sample));
    const stopping = new AbortController();
    const ending: Database = {
      ...db,
      transaction: (work) => {
        stopping.abort();
        return db.transaction(work);
      },
    };
    await tick("one", ending).tick.run(at(9), stopping.signal);
    expect(await left()).toEqual([2]);
  });

  it("folds the rows of the versions before, a partition a run, and loses none of them", async () => {
    const days = (count: number) => at(24 * count);
    const insertRow = (when: Date, value: number) =>
      db.query(
        `INSERT INTO control.sample (series_id, at, value)
         SELECT id, $1, $2 FROM control.series WHERE metric = 'm'`,
        [when, value],
      );
    await db.query("TRUNCATE control.sample");
    await insertSamples(db, [sample(1)]);
    const ended = new Date((await endOfFirstPartition(db)).getTime() + 3 * 86_400_000);
    const before = (await readAll()).length;
    await insertRow(days(-40), 0.1);
    await insertRow(days(-40.5), 1 / 3);
    await insertRow(at(1), 99);
    const all = await readAll();
    expect(all.map(({ value }) => value)).toEqual([1 / 3, 0.1, 1]);
    expect(before).toBe(1);

    const { tick: compact, lines } = tick();
    await compact.run(new Date(ended.getTime() - 60_000), signal);
    await compact.run(new Date(ended.getTime() - 60_000), signal);
    expect(lines.map(({ event }) => event)).toEqual(["samples.compacted"]);
    await compact.run(ended, signal);
    expect(lines[1]).toEqual({
      event: "samples.rows-compacted",
      fields: { partition: "control.sample_before_days", rows: 3 },
    });
    expect((await db.query("SELECT FROM control.sample")).rowCount).toBe(0);
    expect(await readAll()).toEqual(all);
  });
});

async function readAll() {
  const [series] = await readWindows(db, [{ metric: "m", from: at(-2_000) }], at(24));
  return series?.points ?? [];
}

async function endOfFirstPartition(sql: Database): Promise<Date> {
  const { rows } = await sql.query<{ until: Date }>(
    `SELECT substring(pg_get_expr(relpartbound, oid) FROM 'TO .''([^'']+)')::timestamptz AS until
     FROM pg_class WHERE relname = 'sample_before_days'`,
  );
  return rows[0]!.until;
}
