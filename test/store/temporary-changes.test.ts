/** Changes for a while past Git: one of a kind at a time, ended by people or by their time, and told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { endTemporaryTick } from "../../src/runtime/tick/end-temporary.js";
import { listAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import {
  endTemporaryChange,
  listAllTemporaryChanges,
  listTemporaryChanges,
  type NewTemporaryChange,
  noteTemporaryChange,
} from "../../src/store/temporary-changes.js";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase } from "../support/database.js";
import { injectAs, makeDeps } from "../web/harness.js";

let db: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ db, drop } = await createTestDatabase());
});
afterAll(() => drop());
beforeEach(async () => {
  await db.query("DELETE FROM control.temporary_change");
});

const note = (more: Partial<NewTemporaryChange> = {}) =>
  db.transaction((tx) =>
    noteTemporaryChange(tx, {
      ...{ environment: "production", target: "ecs service workers", attribute: "desired_count" },
      ...{ before: 12, after: 20, reason: "a launch", owner: "ann", runId: "run-1" },
      ...{ forMs: 3_600_000, ...more },
    }),
  );
const lastAudit = async () => (await listAudit(db, { limit: 1 }))[0];
/** As if its time had come. */
const age = (id: number) =>
  db.query(
    "UPDATE control.temporary_change SET made_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' WHERE id = $1",
    [id],
  );

describe("temporary changes", () => {
  test("the run that asks again finds its own, another one takes its place and keeps what was before", async () => {
    const first = await note();
    expect(await note()).toBe(first);
    const second = await note({ runId: "run-2", before: 20, after: 30, owner: "bob" });
    expect(await listTemporaryChanges(db)).toMatchObject([{ id: second, before: 12, after: 30 }]);
    const all = await listAllTemporaryChanges(db, 10);
    expect(all.map(({ id, endReason }) => [id, endReason])).toEqual([
      [second, null],
      [first, "another one follows: a launch"],
    ]);
  });

  test("two at once leave one in force", async () => {
    const settled = await Promise.allSettled([note({ runId: "run-3" }), note({ runId: "run-4" })]);
    expect(settled.some(({ status }) => status === "fulfilled")).toBe(true);
    expect(await listTemporaryChanges(db)).toHaveLength(1);
  });

  test.each([
    ["longer than a day", 24 * 3_600_000 + 1_000],
    ["of no time", 0],
  ])("refuses one %s", async (_what, forMs) => {
    await expect(note({ forMs })).rejects.toThrow(/check constraint/);
  });

  test("is ended once, by a name, in the audit", async () => {
    const id = await note();
    const end = () =>
      db.transaction((tx) => endTemporaryChange(tx, { id, reason: "taken back", by: "bob" }));
    expect([await end(), await end()]).toEqual([true, false]);
    expect(await lastAudit()).toMatchObject({
      ...{ actor: "bob", action: "temporary-change.ended", target: `temporary-change:${id}` },
      details: { reason: "taken back", attribute: "desired_count" },
    });
  });

  test("are seen by everybody who has a token, with their owner, and those that ended on request", async () => {
    const [over, still] = [await note(), await note({ target: "ecs service api" })];
    await db.transaction((tx) => endTemporaryChange(tx, { id: over, reason: "done", by: "ann" }));
    const app = await createServer(makeDeps(db));
    try {
      const ask = (role: "viewer" | null, query = "") =>
        injectAs(app, role, { method: "GET", url: `/api/v1/temporary-changes${query}` });
      expect((await ask(null)).statusCode).toBe(401);
      expect((await ask("viewer")).json()).toMatchObject({
        changes: [{ id: still, attribute: "desired_count", owner: "ann", run_id: "run-1" }],
      });
      const all = (await ask("viewer", "?state=all")).json();
      expect(
        all.changes.map((it: { id: number; end_reason: string | null }) => [it.id, it.end_reason]),
      ).toEqual([
        [still, null],
        [over, "done"],
      ]);
    } finally {
      await app.close();
    }
  });

  test("whose time has come is told once, with the way back", async () => {
    const [over, still] = [await note(), await note({ target: "ecs service api" })];
    await age(over);
    const told: RuntimeWord[] = [];
    const events: unknown[] = [];
    const tick = endTemporaryTick({
      ...{ db, emit: (event) => events.push(event) },
      notify: async (_sql, word) => {
        told.push(word);
      },
    });
    const { signal } = new AbortController();
    await tick.run(systemClock.now(), signal);
    await tick.run(systemClock.now(), signal);
    expect(told).toHaveLength(1);
    expect(told[0]?.message.title).toBe(
      "Over: desired_count of ecs service workers was to be 20 (before: 12) for a while only",
    );
    expect(JSON.stringify(told[0]?.message.fields)).toContain("/algobrain undo run-1");
    expect(events).toEqual([
      {
        event: "temporary-change.expired",
        ...{ target: "ecs service workers", attribute: "desired_count" },
      },
    ]);
    expect((await listTemporaryChanges(db)).map(({ id }) => id)).toEqual([still]);
  });
});
