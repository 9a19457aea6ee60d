import { expect, test } from "vitest";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { leaveSafeMode } from "../../src/runtime/leave-safe-mode.js";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { listAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { listNotices } from "../../src/store/notices.js";
import { enterSafeMode, readSafeMode } from "../../src/store/safe-mode.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";

const events: RuntimeEvent[] = [];

function leave(db: Database, force = false) {
  const notify = createRuntimeNotify({ policy: () => makePolicy(), now: () => new Date() });
  const deps = { db, notify, emit: (event: RuntimeEvent) => events.push(event) };
  return leaveSafeMode(deps, { by: "api:ada", reason: "a new disk", force });
}

test("a person leaves safe mode: audited, said in the log, and the page taken back", () =>
  withDatabase(async (db) => {
    events.length = 0;
    await enterSafeMode(db, { reason: "disk gone", by: "healdec" });
    expect(await leave(db)).toEqual({ outcome: "left" });
    expect((await readSafeMode(db)).active).toBe(false);
    expect(await listNotices(db, { limit: 9 })).toMatchObject([
      { receiver: "oncall", action: "resolve", dedupKey: "algobrain/safe-mode-active/all" },
    ]);
    expect((await listAudit(db, { limit: 1 }))[0]).toMatchObject({
      actor: "api:ada",
      action: "safe-mode.left",
      details: { reason: "disk gone", left_because: "a new disk" },
    });
    expect(events).toEqual([{ event: "safe-mode.left", by: "api:ada", reason: "a new disk" }]);
    expect(await leave(db)).toEqual({ outcome: "was-off" });
    expect(events).toHaveLength(1);
  }));

test("with broken data it stays on unless a person overrules the check, which the audit names", () =>
  withDatabase(async (db) => {
    await db.query("INSERT INTO claims (identity_id) VALUES ('gone')");
    await enterSafeMode(db, { reason: "disk gone", by: "healdec" });
    expect(await leave(db)).toMatchObject({
      outcome: "checks-failed",
      broken: [{ invariant: "claim-has-identity", count: 1 }],
    });
    expect((await readSafeMode(db)).active).toBe(true);
    expect(await leave(db, true)).toEqual({ outcome: "left" });
    expect((await listAudit(db, { limit: 1 }))[0]).toMatchObject({
      details: { overruled: ["claim-has-identity"] },
    });
  }));
