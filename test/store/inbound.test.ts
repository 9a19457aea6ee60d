import { expect, test } from "vitest";
import {
  readInbound,
  recordIgnored,
  recordInbound,
  settleInbound,
} from "../../src/store/inbound.js";
import { withDatabase } from "../support/database.js";

const event = {
  source: "pagerduty",
  deliveryId: "webhook-1",
  eventType: "incident.triggered",
  body: { incidentId: "Q1" },
} as const;

test("an event and its job come together, and a repeat changes nothing", () =>
  withDatabase(async (db) => {
    const first = await db.transaction((tx) => recordInbound(tx, event));
    const again = await db.transaction((tx) => recordInbound(tx, event));
    expect(first).toEqual({ id: 1, fresh: true });
    expect(again).toEqual({ id: 1, fresh: false });
    const { rows } = await db.query("SELECT job_type, payload FROM jobs");
    expect(rows).toEqual([{ job_type: "inbound", payload: { inbound_id: 1 } }]);
  }));

test("the same delivery ten times in one moment is kept once", () =>
  withDatabase(async (db) => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => db.transaction((tx) => recordInbound(tx, event))),
    );
    expect(answers.filter(({ fresh }) => fresh)).toHaveLength(1);
    expect((await db.query("SELECT 1 FROM jobs")).rowCount).toBe(1);
  }));

test("the same id from another sender is another event", () =>
  withDatabase(async (db) => {
    await db.transaction((tx) => recordInbound(tx, event));
    const other = await db.transaction((tx) => recordInbound(tx, { ...event, source: "slack" }));
    expect(other.fresh).toBe(true);
  }));

test("what became of it is said once", () =>
  withDatabase(async (db) => {
    const { id } = await db.transaction((tx) => recordInbound(tx, event));
    expect(await settleInbound(db, id, { status: "handled", outcome: "run-1" })).toBe(true);
    expect(await settleInbound(db, id, { status: "refused", outcome: "no" })).toBe(false);
    expect(await readInbound(db, id)).toMatchObject({ status: "handled", outcome: "run-1" });
  }));

test("what nobody acts on is kept without a job", () =>
  withDatabase(async (db) => {
    for (let i = 0; i < 2; i++) await recordIgnored(db, event, "nobody acts on it");
    expect(await readInbound(db, 1)).toMatchObject({ status: "ignored" });
    expect((await db.query("SELECT 1 FROM jobs")).rowCount).toBe(0);
  }));
