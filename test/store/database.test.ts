import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import { openDatabase } from "../../src/store/database.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";

const unreachable = "postgresql://nobody:secret@127.0.0.1:1/none";
const options = { poolMax: 1, applicationName: "test-other", ssl: false };

test("counts and sums read as numbers, jsonb as values, times as dates", () =>
  withDatabase(async (db) => {
    const { rows } = await db.query(
      `SELECT count(*) AS count, 1.5::numeric AS half, '{"a": [1]}'::jsonb AS json, now() AS at`,
    );
    expect(rows).toEqual([{ count: 1, half: 1.5, json: { a: [1] }, at: expect.any(Date) }]);
  }));

test("a transaction keeps all or nothing, and its connection is usable afterwards", () =>
  withDatabase(async (db) => {
    const insert = (id: string) => `INSERT INTO repos (id, name) VALUES ('${id}', 'x')`;
    await db.transaction(async (tx) => {
      await tx.query(insert("r1"));
      await tx.query(insert("r2"));
    });
    const half = db.transaction(async (tx) => {
      await tx.query(insert("r3"));
      await tx.query(insert("r1"));
    });
    const error = await half.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ details: { sqlstate: "23505" } });
    const { rows } = await db.query("SELECT id FROM repos ORDER BY id");
    expect(rows).toEqual([{ id: "r1" }, { id: "r2" }]);
  }));

test("a fault thrown by the work passes unchanged", () =>
  withDatabase(async (db) => {
    const mine = fault.data("MINE", "mine");
    await expect(db.transaction(() => Promise.reject(mine))).rejects.toBe(mine);
  }));

test("no free connection is a transient fault by name, within the time allowed", () =>
  withDatabase(async (db, url) => {
    const small = openDatabase({ ...options, url, connectTimeoutMs: 1_000 });
    try {
      await small.transaction(async () => {
        await expect(small.query("SELECT 1")).rejects.toMatchObject({
          ...{ kind: "transient", code: "DATABASE_POOL_EXHAUSTED" },
        });
      });
      expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    } finally {
      await small.close();
    }
  }));

test("a server that is not there is a transient fault that does not tell the password", async () => {
  const gone = openDatabase({ ...options, url: unreachable });
  const error = await gone.query("SELECT 1").catch((thrown: unknown) => thrown);
  await gone.close();
  expect(error).toMatchObject({ kind: "transient", code: "DATABASE_UNAVAILABLE" });
  expect(String(error)).not.toContain("secret");
});

test("a statement that takes too long is ended, by name", () =>
  withDatabase(async (_db, url) => {
    const hasty = openDatabase({ ...options, url, statementTimeoutMs: 50 });
    try {
      await expect(hasty.query("SELECT pg_sleep(30)")).rejects.toMatchObject({
        code: "DATABASE_UNAVAILABLE",
      });
      expect((await hasty.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    } finally {
      await hasty.close();
    }
  }));

test("a transaction that is left open is ended, and what it had locked is free", () =>
  withDatabase(async (db) => {
    const left = db.transaction(async (tx) => {
      await tx.query("SELECT pg_advisory_xact_lock(7)");
      await until(async () => {
        const { rows } = await db.query<{ free: boolean }>(
          "SELECT pg_try_advisory_lock(7) AS free",
        );
        return rows[0]!.free;
      }, "the lock is free");
      await tx.query("SELECT 1");
    });
    await expect(left).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  }));

test("a server that says nothing any more is given up, and the next statement gets through", () =>
  withDatabase(async (_db, url) => {
    const { hostname, port } = new URL(url);
    const lines: { far: Socket; near: Socket }[] = [];
    const swallower = createServer((near) => {
      const far = connect(Number(port), hostname);
      lines.push({ far, near });
      near.pipe(far).pipe(near);
      near.once("close", () => far.destroy());
    }).listen(0, "127.0.0.1");
    await once(swallower, "listening");
    const by = new URL(url);
    by.port = String((swallower.address() as AddressInfo).port);
    const patient = openDatabase({ ...options, url: by.href, poolMax: 1, statementTimeoutMs: 200 });
    try {
      await patient.query("SELECT 1");
      for (const { far, near } of lines) far.unpipe(near);
      await expect(patient.query("SELECT 1")).rejects.toMatchObject({
        code: "DATABASE_UNAVAILABLE",
      });
      expect((await patient.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      for (const { far, near } of lines) far.unpipe(near);
      const asked = patient.transaction((tx) => tx.query("SELECT 1"));
      await expect(asked).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
      expect((await patient.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    } finally {
      await patient.close();
      swallower.close();
    }
  }));

test("a session hears notices of others, and loses nothing of the pool when it is cut", () =>
  withDatabase(async (db, url) => {
    const other = openDatabase({ ...options, url });
    const heard: string[] = [];
    let lost: Error | undefined;
    try {
      await other.connect(async (session) => {
        session.onNotification((channel) => heard.push(channel));
        session.onLost((error) => {
          lost = error;
        });
        await session.query("LISTEN algobrain_job");
        await db.query("INSERT INTO jobs (job_type, payload) VALUES ('index', '{}')");
        await until(() => heard.length > 0, "the notice arrives");
        await db.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-other'",
        );
        await until(() => lost !== undefined, "the loss is told");
      });
      expect(heard).toEqual(["algobrain_job"]);
      expect((await other.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    } finally {
      await other.close();
    }
  }));

test("a session that is ended in the middle of its statement ends no process", () =>
  withDatabase(async (db) => {
    const suicide = "SELECT pg_terminate_backend(pg_backend_pid())";
    for (let round = 0; round < 10; round++) {
      await expect(db.connect((session) => session.query(suicide))).rejects.toThrow("database:");
      await expect(db.transaction((tx) => tx.query(suicide))).rejects.toThrow("database:");
    }
    expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  }));

/** Says no to whatever a session begins with, when it is told to. */
async function refusingPooler(why: string) {
  const fields = Buffer.from(`SFATAL\0C08P01\0M${why}\0\0`);
  const head = Buffer.from("E\0\0\0\0");
  head.writeInt32BE(fields.length + 4, 1);
  let asked = 0;
  let refuse = () => {};
  const told = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  const server = createServer((near) => {
    asked += 1;
    near.once("data", () => void told.then(() => near.end(Buffer.concat([head, fields]))));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `postgresql://nobody:secret@127.0.0.1:${port}/none`;
  return { url, asked: () => asked, refuse, close: () => server.close() };
}

test("what a pooler refuses after the end is asked no more, and ends no process", async () => {
  const pooler = await refusingPooler("unsupported startup parameter: options");
  try {
    const ending = openDatabase({ ...options, url: pooler.url });
    const asked = expect(ending.query("SELECT 1")).rejects.toThrow("unsupported startup parameter");
    await until(() => pooler.asked() === 1, "the session begins");
    const closed = ending.close();
    pooler.refuse();
    await closed;
    await asked;
    expect(pooler.asked()).toBe(1);
  } finally {
    pooler.close();
  }
});
