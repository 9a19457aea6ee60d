import { expect, test } from "vitest";
import { createRuntimeNotify } from "../../src/runtime/notify.js";
import { stallAbandonedRunsTick } from "../../src/runtime/tick/stall-abandoned-runs.js";
import { listNotices } from "../../src/store/notices.js";
import { startRun } from "../../src/store/run-leases.js";
import { readRun } from "../../src/store/runs.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";

test("a run whose job ended without it is stalled within a minute, and the operators are told once", () =>
  withDatabase(async (db) => {
    const id = await queueRun(db, makeRegistry(makeRunbook("fix")), "fix");
    await startRun(db, id);
    const notify = createRuntimeNotify({ policy: () => makePolicy(), now: () => new Date() });
    const tick = stallAbandonedRunsTick({ db, notify });
    const look = () => tick.run(new Date(), new AbortController().signal);
    expect(tick.everyMs).toBe(60_000);
    await look();
    expect(await readRun(db, id)).toMatchObject({ status: "running" });
    await db.query("UPDATE jobs SET status = 'failed', fence = fence + 1");
    await look();
    await look();
    expect(await readRun(db, id)).toMatchObject({ status: "stalled" });
    expect(await listNotices(db, { limit: 9 })).toMatchObject([
      { receiver: "ops", source: `algobrain/${id}`, dedupKey: `algobrain/${id}/stalled` },
    ]);
  }));
