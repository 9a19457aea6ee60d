import { describe, expect, it } from "vitest";
import { addEvent } from "../../src/store/events.js";
import { findGithubDelivery, settleGithubDelivery } from "../../src/store/github-deliveries.js";
import { withDatabase } from "../support/database.js";

describe("events", () => {
  it("are one a delivery: a repeat is told and changes nothing", () =>
    withDatabase(async (db) => {
      const event = {
        deliveryId: "d-1",
        source: "github",
        eventType: "push",
        repoId: null,
        payload: { ref: "refs/heads/main" },
        occurredAt: new Date("2026-01-01T00:00:00Z"),
      };
      expect(await addEvent(db, event)).toBe(true);
      expect(await addEvent(db, { ...event, eventType: "other" })).toBe(false);
      const { rows } = await db.query("SELECT delivery_id, event_type, payload FROM events");
      expect(rows).toEqual([
        { delivery_id: "d-1", event_type: "push", payload: { ref: "refs/heads/main" } },
      ]);
    }));

  it("come from stored deliveries of GitHub, which are settled once", () =>
    withDatabase(async (db) => {
      await db.query(
        `INSERT INTO control.inbound (source, delivery_id, event_type, body)
         VALUES ('github', 'd-1', 'push', '{"a": 1}'), ('slack', 'd-2', 'command', '{}')`,
      );
      expect(await findGithubDelivery(db, "d-2")).toBeNull();
      expect(await findGithubDelivery(db, "d-1")).toMatchObject({
        eventType: "push",
        body: { a: 1 },
      });
      await settleGithubDelivery(db, "d-1", "stored");
      await settleGithubDelivery(db, "d-1", "known");
      const { rows } = await db.query("SELECT status, outcome FROM control.inbound ORDER BY id");
      expect(rows).toEqual([
        { status: "handled", outcome: "stored" },
        { status: "received", outcome: null },
      ]);
    }));
});
