import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import {
  type CycleStep,
  createOrchestrator,
  type Orchestrator,
} from "../../src/runtime/orchestrator.js";
import { beatStep } from "../../src/runtime/tick/beat.js";
import type { Tick } from "../../src/runtime/ticker.js";
import type { Database } from "../../src/store/database.js";
import { HEARTBEAT_METRIC } from "../../src/store/runtime-samples.js";
import { readLatest } from "../../src/store/samples.js";
import { withDatabase } from "../support/database.js";
import { readLease } from "../support/lease.js";
import { until } from "../support/until.js";

/** The other may take it over once it has run out, and a busy machine may stand still for a second. */
const LASTING_MS = 10_000;

interface Wishes {
  readonly holder: string;
  readonly leaseTtlMs?: number;
  readonly cycle?: readonly CycleStep[];
  readonly ticks?: readonly Tick[];
  readonly events?: RuntimeEvent[];
}

function orchestrator(db: Database, wishes: Wishes): Orchestrator {
  return createOrchestrator({
    db,
    clock: systemClock,
    emit: (event) => wishes.events?.push(event),
    holder: wishes.holder,
    leaseTtlMs: wishes.leaseTtlMs ?? 600,
    everyMs: 20,
    cycle: wishes.cycle ?? [],
    ticks: wishes.ticks ?? [],
  });
}

async function beatAt(db: Database): Promise<Date | null> {
  const { rows } = await db.query<{ at: Date }>(
    "SELECT at FROM control.sign_of_life WHERE name = 'heartbeat'",
  );
  return rows[0]?.at ?? null;
}

describe("two orchestrators", () => {
  it("have one leader; the other takes over when it stops (X-08)", async () => {
    await withDatabase(async (db) => {
      const ran: string[] = [];
      const step = (name: string) => ({ name: "note", run: async () => void ran.push(name) });
      const leaseTtlMs = LASTING_MS;
      const a = orchestrator(db, { holder: "a", cycle: [step("a")], leaseTtlMs });
      const b = orchestrator(db, { holder: "b", cycle: [step("b")], leaseTtlMs });
      a.start();
      await until(() => a.leads() && ran.length > 3, "a leads");
      b.start();
      await until(() => ran.length > 10, "cycles go on");
      expect(b.leads()).toBe(false);
      expect(new Set(ran)).toEqual(new Set(["a"]));
      await a.stop();
      await until(() => b.leads() && ran.includes("b"), "b takes over");
      expect(await readLease(db, "orchestrator")).toMatchObject({ holder: "b", fence: 2 });
      await b.stop();
    });
  });

  it("a leader whose lease was taken stops its work at once", async () => {
    await withDatabase(async (db) => {
      const events: RuntimeEvent[] = [];
      let aborted = false;
      const slow: Tick = {
        name: "slow",
        everyMs: 1,
        run: async (_now, signal) => {
          await once(signal, "abort");
          aborted = true;
        },
      };
      const a = orchestrator(db, { holder: "a", ticks: [slow], events });
      a.start();
      await until(() => a.leads(), "a leads");
      await db.query(
        "UPDATE control.lease SET holder = 'b', fence = fence + 1, expires_at = now() + interval '1 hour'",
      );
      await until(() => aborted && !a.leads(), "a has stopped");
      expect(events.map(({ event }) => event)).toContain("lease.lost");
      await a.stop();
    });
  });
});

describe("the heartbeat", () => {
  it("is written after each cycle in which everything succeeded", async () => {
    await withDatabase(async (db) => {
      const one = orchestrator(db, { holder: "a", cycle: [beatStep(db)] });
      one.start();
      const first = await until(() => beatAt(db), "it beats");
      await until(async () => (await beatAt(db))! > first, "it beats again");
      await one.stop();
      const [{ points } = { points: [] }] = await readLatest(db, [HEARTBEAT_METRIC], new Date());
      const last = points[0]!;
      expect(last.at % 15_000).toBe(0);
      expect(last.value * 1_000).toBeGreaterThanOrEqual(last.at);
    });
  });

  it("is not written when a step before it failed (X-61)", async () => {
    await withDatabase(async (db) => {
      const events: RuntimeEvent[] = [];
      let tries = 0;
      const broken: CycleStep = {
        name: "broken",
        run: async () => {
          tries += 1;
          throw new Error("no scheduling today");
        },
      };
      const one = orchestrator(db, { holder: "a", cycle: [broken, beatStep(db)], events });
      one.start();
      await until(() => tries >= 3, "the cycle is tried again");
      await one.stop();
      expect(await beatAt(db)).toBeNull();
      expect(events).toContainEqual({
        event: "tick.failed",
        tick: "broken",
        error: "no scheduling today",
      });
    });
  });
});

describe("a tick", () => {
  it("that fails is tried again, and does not stop the others", async () => {
    await withDatabase(async (db) => {
      const runs = { bad: 0, good: 0 };
      const bad: Tick = {
        name: "bad",
        everyMs: 5,
        run: async () => {
          runs.bad += 1;
          throw new Error("bad");
        },
      };
      const good: Tick = {
        name: "good",
        everyMs: 5,
        run: async () => {
          runs.good += 1;
        },
      };
      const one = orchestrator(db, { holder: "a", ticks: [bad, good] });
      one.start();
      await until(() => runs.bad > 3 && runs.good > 3, "both go on");
      await one.stop();
    });
  });
});
