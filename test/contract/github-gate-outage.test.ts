/** What GitHub refused while the database was away is told to all before anybody asks again. */
import { expect, it } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { SeenLimits } from "../../src/base/request-budget.js";
import { createRequestGate } from "../../src/runtime/request-gate.js";
import type { Database } from "../../src/store/database.js";
import { createTestDatabase } from "../support/database.js";
import { never } from "./delivery.js";

const STILL: Clock = { now: () => new Date(0), sleep: async () => {} };

const refused = (minutes: number): SeenLimits => ({
  window: null,
  refusal: { waitMs: minutes * 60_000, isNamed: true },
  isWell: false,
});

it("also of several refusals, of which the longest was told first", async () => {
  const { db, drop } = await createTestDatabase();
  try {
    let isAway = false;
    const shaky: Database = {
      ...db,
      query: (...args: Parameters<Database["query"]>) => db.query(...args),
      connect: (work) => db.connect(work),
      transaction: (work) =>
        isAway ? Promise.reject(new Error("the database is away")) : db.transaction(work),
    };
    const gate = createRequestGate(async () => "host#1/core", {
      ...{ db: shaky, clock: STILL, log: silentLogger, random: () => 0 },
      rules: () => ({ reserve: 0, inFlight: 5, perSecond: 10_000 }),
    });
    const first = await gate.take(never());
    const second = await gate.take(never());
    isAway = true;
    await first(refused(60));
    await second(refused(1));
    isAway = false;
    await expect(gate.take(never())).rejects.toMatchObject({ code: "GITHUB_RATE_LIMITED" });
    const { rows } = await db.query<{ minutes: number }>(
      "SELECT round(extract(epoch FROM gate_until - now()) / 60)::int AS minutes FROM control.github_budget",
    );
    expect(rows).toEqual([{ minutes: 60 }]);
  } finally {
    await drop();
  }
});

it("goes on when the clock is set back by an hour", async () => {
  const { db, drop } = await createTestDatabase();
  try {
    let nowMs = 7_200_000;
    const clock: Clock = { now: () => new Date(nowMs), sleep: async () => {} };
    const gate = createRequestGate(async () => "host#1/core", {
      ...{ db, clock, log: silentLogger, random: () => 0 },
      rules: () => ({ reserve: 0, inFlight: 5, perSecond: 10 }),
    });
    await gate.take(never());
    nowMs -= 3_600_000;
    await gate.take(never());
    await gate.take(never());
  } finally {
    await drop();
  }
});
