/** What can be read over HTTP, and that each answer is what the OpenAPI document says it is. */
import { describe, expect, it } from "vitest";
import type { InstanceState } from "../../src/alert/state.js";
import { systemClock } from "../../src/base/clock.js";
import { compileSchema } from "../../src/base/schema.js";
import { appendAlertEvents, saveAlertStates } from "../../src/store/alerts.js";
import type { Database } from "../../src/store/database.js";
import { cancelJob } from "../../src/store/job-actions.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { pauseQueue } from "../../src/store/pauses.js";
import { publishPolicy } from "../../src/store/policies.js";
import { requestRun } from "../../src/store/runs.js";
import { insertSamples } from "../../src/store/samples.js";
import { type Api, withApi } from "./harness.js";

const DRIFT = [
  { name: "HEALDEC_ENABLED", policyValue: true, value: false },
  {
    ...{ name: "workers.index.concurrency", policyValue: 4, value: 2 },
    override: { id: 1, owner: "ann", reason: "slow disk", until: "2026-03-01T12:00:00.000Z" },
    unusable: "it is more than there may be",
  },
];
const NOON = Date.parse("2026-03-01T12:00:00Z");
const minutesAgo = (count: number) => new Date(systemClock.now().getTime() - count * 60_000);

const firing: InstanceState = {
  shape: "s",
  labels: { worker_type: "index" },
  knownSince: NOON,
  tickAt: NOON,
  value: 1200,
  valueAt: NOON,
  levels: { "AR-06": { phase: "firing", activeAt: NOON, recoveringSince: null, op: ">" } },
  level: "AR-06",
  severity: "sev2",
  since: NOON,
  begun: { level: "AR-06", at: NOON },
  endedByEdit: false,
  told: null,
  cooling: null,
};

async function seed(db: Database): Promise<void> {
  await enqueueJob(db, { kind: "gc", payload: {} });
  await cancelJob(db, { seq: 1, actor: "test", reason: "for its history" });
  await pauseQueue(db, { kind: "gc", reason: "x", by: "test", expiresAt: null });
  const state = { rule: "queue-depth-high", instance: "all", state: firing };
  const clock = [{ everyMs: 15_000, tickAt: new Date(NOON) }];
  await saveAlertStates(db, { upsert: [state], remove: [] }, clock);
  const [metric, labels] = ["algobrain.jobs.pending", { worker_type: "index" }];
  await insertSamples(
    db,
    [3, 9, 6].map((value, n) => ({ metric, labels, value, at: minutesAgo(3 - n) })),
  );
  const event = {
    rule: "queue-depth-high",
    level: "AR-06",
    instance: "all",
    labels: {},
    severity: "sev2",
  } as const;
  await appendAlertEvents(db, [{ ...event, kind: "fired", value: 1200, at: NOON }]);
  await db.transaction((tx) =>
    requestRun(tx, {
      runbook: "queue-depth",
      params: {},
      actor: { name: "ada", role: "viewer", door: "slack" },
      contentHash: "h",
      dryRun: false,
    }),
  );
}

const get = async ({ as }: Api, url: string) => {
  const reply = await as("viewer", { method: "GET", url });
  expect(reply.statusCode, reply.body).toBe(200);
  return reply.json();
};

describe("reading over HTTP", () => {
  it("shows what fires now (EP-25)", () =>
    withApi(async (api) => {
      await seed(api.db);
      expect(await get(api, "/api/alerts/active")).toEqual({
        alerts: [
          {
            id: "AR-06~all",
            rule: "queue-depth-high",
            instance: "all",
            labels: { worker_type: "index" },
            phase: "firing",
            level: "AR-06",
            severity: "sev2",
            value: 1200,
            since: "2026-03-01T12:00:00.000Z",
            told_at: null,
            // AM-api-03, letter by letter.
            metric: "algobrain.jobs.pending",
            status: "firing",
            threshold: 1000,
            occurredAt: "2026-03-01T12:00:00.000Z",
            message:
              "queue-depth-high: Jobs wait longer than the workers can keep up. It is at 1200, and fires > 1000.",
            ...{ silencedBy: [], inhibitedBy: [] },
          },
        ],
      });
    }));

  it("shows at most 200 transitions, newest first (EP-26)", () =>
    withApi(async (api) => {
      const one = {
        ...({ rule: "r", level: "AR-06", instance: "all", labels: {}, value: 1 } as const),
        severity: "sev2" as const,
      };
      const many = Array.from({ length: 250 }, (_, n) => ({
        ...one,
        kind: "pending" as const,
        at: NOON + n,
      }));
      await appendAlertEvents(api.db, many);
      const { events } = await get(api, "/api/alerts/history?limit=200");
      expect(events).toHaveLength(200);
      expect(events[0]).toMatchObject({ rule: "r", at: new Date(NOON + 249).toISOString() });
    }));

  it("shows runs with their steps", () =>
    withApi(async (api) => {
      await seed(api.db);
      const { runs } = await get(api, "/api/v1/runs");
      expect(runs).toMatchObject([
        { id: "run-1", runbook: "queue-depth", actor: "ada", status: "queued" },
      ]);
      expect(await get(api, "/api/v1/runs/run-1")).toMatchObject({ id: "run-1", steps: [] });
      for (const id of ["run-2", "run-0", "1", "run-1%00"]) {
        const reply = await api.as("viewer", { method: "GET", url: `/api/v1/runs/${id}` });
        expect([id, reply.statusCode]).toEqual([id, 404]);
      }
    }));

  it("shows what holds the queues, and safe mode (EP-22)", () =>
    withApi(
      async (api) => {
        await seed(api.db);
        await enqueueJob(api.db, { kind: "index", payload: {} });
        const shown = await get(api, "/api/monitoring/resilience");
        expect(shown).toMatchObject({
          breakers: { state: "closed" },
          queueController: { pause: null, cap: { max: 7, running: 0 } },
          safe_mode: { active: false },
        });
        const { queues } = shown.queueController;
        const byName = (name: string) =>
          queues.find((queue: { name: string }) => queue.name === name);
        expect(byName("index")).toEqual({
          ...{ name: "index", enabled: true, pause: null, waiting: 1, running: 0, buffered: 0 },
          ...{ workers: 0, concurrency: 5, global_max: null },
        });
        expect(byName("gc")).toMatchObject({ pause: { of: "queue", reason: "x" } });
      },
      { config: { jobsMax: 7 } },
    ));

  it("shows each metric of the catalogue with four numbers a series (EP-23)", () =>
    withApi(async (api) => {
      await seed(api.db);
      const { metrics } = await get(api, "/api/telemetry/dashboard");
      expect(metrics).toContainEqual({
        ...{ name: "algobrain.jobs.pending", unit: "count", help: expect.any(String) },
        series: [
          {
            labels: { worker_type: "index" },
            ...{ last: 6, min: 3, max: 9, avg: 6, at: expect.any(String) },
          },
        ],
      });
      expect(metrics).toContainEqual(expect.objectContaining({ unit: "ratio", series: [] }));
    }));

  it("shows beside them which policy is in force, and what holds against it (X-60)", () =>
    withApi(
      async (api) => {
        expect(await get(api, "/api/telemetry/dashboard")).toMatchObject({ policy: null });
        await publishPolicy(api.db, { digest: "d1", bundle: {}, source: "policies" });
        const { policy, drift } = await get(api, "/api/telemetry/dashboard");
        expect(policy).toEqual({
          ...{ digest: "d1", revision: expect.any(Number), commit: null, adopted: null },
          ...{ published: null, held: null, waiting: null, failed: null, overrides: 0 },
          processes: { on_it: 0, behind: 0 },
        });
        expect(drift).toEqual(DRIFT);
      },
      { drift: () => DRIFT },
    ));

  it("answers in the form that the OpenAPI document promises", () =>
    withApi(async (api) => {
      await seed(api.db);
      await publishPolicy(api.db, { digest: "d1", bundle: {}, source: "policies" });
      const { paths } = await get(api, "/documentation/json");
      for (const [path, url] of [
        ["/health", "/health"],
        ["/api/v1/jobs", "/api/v1/jobs"],
        ["/api/v1/jobs/{id}", "/api/v1/jobs/job-1"],
        ["/api/v1/jobs/{id}/why", "/api/v1/jobs/job-1/why"],
        ["/api/queue/stats", "/api/queue/stats"],
        ["/api/monitoring/resilience", "/api/monitoring/resilience"],
        ["/api/telemetry/dashboard", "/api/telemetry/dashboard?window=24h"],
        ["/api/alerts/active", "/api/alerts/active"],
        ["/api/alerts/history", "/api/alerts/history"],
        ["/api/v1/runs", "/api/v1/runs"],
        ["/api/v1/runs/{id}", "/api/v1/runs/run-1"],
      ] as const) {
        const { schema } = paths[path].get.responses["200"].content["application/json"];
        expect([url, compileSchema(schema).check(await get(api, url))]).toEqual([url, []]);
      }
    }));
});
