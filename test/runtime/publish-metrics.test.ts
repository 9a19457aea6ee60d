/** What the orchestrator tells AWS: the depth of the queues each minute, and that it works; a slow or broken AWS stops nothing. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../src/base/log.js";
import {
  type PublishedPoint,
  publishMetrics,
  type SignsToAws,
} from "../../src/runtime/tick/publish-metrics.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { until } from "../support/until.js";

let base: TestDatabase;
beforeAll(async () => {
  base = await createTestDatabase();
});
afterAll(() => base.drop());

const START = new Date("2026-11-22T12:00:00Z");
const later = (ms: number) => new Date(START.getTime() + ms);
const { signal } = new AbortController();

let published: { namespace: string; at: Date; points: Record<string, number> }[];
let rows: { table: string; at: Date; leader: string; cycle: number }[];
beforeEach(() => {
  published = [];
  rows = [];
});

const valuesOf = (points: readonly PublishedPoint[]) =>
  Object.fromEntries(points.map(({ name, value }) => [name, value]));

function open(signs: Partial<SignsToAws> = {}, log: Logger = silentLogger, enabled = true) {
  const policy = makePolicy();
  const { outlets } = policy.monitoring;
  const monitoring = {
    ...policy.monitoring,
    outlets: { ...outlets, cloudwatch: { ...outlets.cloudwatch, enabled } },
  };
  return publishMetrics({
    ...{ db: base.db, log, holder: "host/1", policy: () => ({ ...policy, monitoring }) },
    signs: {
      putMetrics: async (namespace, at, points) =>
        void published.push({ namespace, at, points: valuesOf(points) }),
      putHeartbeat: async (table, { at, leader, cycle }) =>
        void rows.push({ table, at, leader, cycle }),
      ...signs,
    },
  });
}

describe("HB-aws-09: the depth of the queues", () => {
  test("each minute, of all public kinds that are due, and the share of each live process (X-10)", async () => {
    await base.db.query(
      `INSERT INTO public.jobs (job_type, payload, status, scheduled_at) VALUES
         ('index', '{"repo_id": 1}', 'pending', now()), ('identity', '{"repo_id": 1}', 'pending', now()),
         ('index', '{"repo_id": 2}', 'pending', now() + interval '1 hour'), ('notice', '{}', 'pending', now())`,
    );
    const { step, tick } = open();
    expect(tick).toMatchObject({ everyMs: 60_000, aligned: true });
    await step.run(START, signal);
    await tick.run(START, signal);
    await step.run(later(30_000), signal);
    await tick.run(later(60_000), signal);
    const points = { JobQueueDepth: 2, JobBacklogPerTask: 2, Heartbeat: 1 };
    expect(published).toEqual([
      { namespace: "AlgoBrain", at: START, points },
      { namespace: "AlgoBrain", at: later(60_000), points },
    ]);
  });

  test("X-61: after a minute without a cycle that ended well the dead man's alarm hears nothing", async () => {
    const { step, tick } = open();
    await step.run(START, signal);
    await tick.run(START, signal);
    await tick.run(later(60_000), signal);
    expect(published.map(({ points }) => points.Heartbeat)).toEqual([1, undefined]);
  });

  test("what AWS does not take is told, and the minute after has a point of its own", async () => {
    const told: string[] = [];
    const log: Logger = { ...silentLogger, warn: (event) => void told.push(event) };
    const putMetrics = async () => {
      throw new Error("it asked us to slow down");
    };
    await open({ putMetrics }, log).tick.run(START, signal);
    expect(told).toEqual(["aws.metrics-lost"]);
  });

  test("nothing where the policy has it off", async () => {
    const { step, tick } = open({}, silentLogger, false);
    await step.run(START, signal);
    await tick.run(START, signal);
    expect({ published, rows }).toEqual({ published: [], rows: [] });
  });
});

describe("HB-cli-14: the row of heartbeats", () => {
  test("after cycles, every 10 s at most, with the leader and the number of the cycle", async () => {
    const { step } = open();
    for (const ms of [0, 1_000, 9_999]) await step.run(later(ms), signal);
    await until(() => rows.length > 0, "the first row is written");
    // Until the call before has ended a cycle begins no other.
    await until(async () => {
      await step.run(later(10_000), signal);
      return rows.length === 2;
    }, "the second row is written");
    const row = { table: makePolicy().infrastructure.heartbeatsTable, leader: "host/1" };
    expect(rows[0]).toEqual({ ...row, at: START, cycle: 1 });
    expect(rows[1]).toMatchObject({ ...row, at: later(10_000) });
    expect(rows[1]?.cycle).toBeGreaterThanOrEqual(4);
  });

  test("a call that does not come back delays no cycle, and no second one is begun meanwhile", async () => {
    let begun = 0;
    const never = () => {
      begun += 1;
      return new Promise<void>(() => {});
    };
    const { step } = open({ putHeartbeat: never });
    for (let i = 0; i < 5; i++) await step.run(later(i * 10_000), signal);
    expect(begun).toBe(1);
  });

  test("failures are counted, and told once a minute", async () => {
    const told: unknown[] = [];
    const log: Logger = { ...silentLogger, warn: (_, fields) => void told.push(fields?.failures) };
    let failed = 0;
    const putHeartbeat = async () => {
      failed += 1;
      throw new Error("it is down");
    };
    const { step } = open({ putHeartbeat }, log);
    for (let i = 0; i <= 6; i++) {
      await until(async () => {
        await step.run(later(i * 10_000), signal);
        return failed === i + 1;
      }, "the row was refused");
    }
    await until(() => told.length === 2, "the second word");
    expect(told).toEqual([1, 6]);
  });
});
