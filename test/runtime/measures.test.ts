/** What the runtime measures of itself, from the sources through a round to the scraper's text (EP-24, HB-met-10). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { prometheusName } from "../../src/alert/outlet/prometheus-name.js";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { ApiTally } from "../../src/runtime/api-stats.js";
import { renderRounds } from "../../src/runtime/exposition.js";
import { JobTally } from "../../src/runtime/job-tally.js";
import { createMetrics } from "../../src/runtime/metrics.js";
import { QueryTimes } from "../../src/runtime/query-times.js";
import { adoptionSource } from "../../src/runtime/sample/adoption.js";
import { apiFiguresSource, apiSource } from "../../src/runtime/sample/api.js";
import { arrivalsSource } from "../../src/runtime/sample/arrivals.js";
import { backupSource } from "../../src/runtime/sample/backup.js";
import { databaseSource } from "../../src/runtime/sample/database.js";
import { dependenciesSource } from "../../src/runtime/sample/dependencies.js";
import { hostSource } from "../../src/runtime/sample/host.js";
import { jobsSource } from "../../src/runtime/sample/jobs.js";
import { noticesSource } from "../../src/runtime/sample/notices.js";
import { processSource } from "../../src/runtime/sample/process.js";
import { refusedSource } from "../../src/runtime/sample/refused.js";
import type { SampleSource } from "../../src/runtime/sample/source.js";
import { tallySource } from "../../src/runtime/sample/tally.js";
import { workersSource } from "../../src/runtime/sample/workers.js";
import { beatStep } from "../../src/runtime/tick/beat.js";
import { collectSamplesTick } from "../../src/runtime/tick/collect-samples.js";
import type { Database } from "../../src/store/database.js";
import { countArrivals, readArrivals } from "../../src/store/job-arrivals.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { readNewestRounds } from "../../src/store/sample-rounds.js";
import type { Sample } from "../../src/store/samples.js";
import { registerWorker } from "../../src/store/workers.js";
import { SHIPPED } from "../policy/shipped.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const checked = loadPolicySet(SHIPPED, "local");
if (!checked.ok)
  throw new Error("the shipped policies are invalid: see test/policy/shipped.test.ts");
const policy = checked.value;
const { signal } = new AbortController();

let test: TestDatabase;
let db: Database;
beforeAll(async () => {
  test = await createTestDatabase();
  db = test.db;
});
afterAll(() => test.drop());
beforeEach(async () => {
  await db.query(
    "TRUNCATE control.sample_round, control.series, control.sample, control.job_arrival, control.job_tally, control.run, public.jobs CASCADE",
  );
  await db.query("DELETE FROM public.workers");
});

async function collect(sources: readonly SampleSource[], now: Date, source?: string) {
  const deps = { db, log: silentLogger, policy: () => policy, sources, source };
  await collectSamplesTick(deps).run(now, signal);
}

const MINUTE = Date.UTC(2026, 0, 28, 12);
const at = (seconds: number) => new Date(MINUTE + seconds * 1_000);

function apiOf(host: string, tally: ApiTally): SampleSource {
  return apiSource({ apiStats: () => tally.read(), policy: () => policy, host });
}

function answer(tally: ApiTally, times: number, status: number, durationMs: number): void {
  for (let i = 0; i < times; i++)
    tally.observe({ route: "/api/v1/jobs", status, problem: null, durationMs });
}

const valuesOf = (samples: readonly Sample[]) =>
  Object.fromEntries(samples.map(({ metric, value }) => [metric, value]));

describe("the figures of the API", () => {
  const clock: Clock = { now: () => new Date(MINUTE), sleep: async () => {} };
  const figuresAt = async (seconds: number) =>
    valuesOf(await apiFiguresSource(db).collect(at(seconds)));

  it("are of all processes that answer: no average of percentiles, no last one that wins", async () => {
    const [one, other] = [new ApiTally(clock), new ApiTally(clock)];
    // What was before the minute does not count in it.
    answer(one, 1_000, 500, 9_000);
    await collect([apiOf("a", one)], at(0), "api@a");
    await collect([apiOf("b", other)], at(0), "api@b");
    answer(one, 900, 200, 4);
    answer(other, 60, 200, 900);
    answer(other, 40, 502, 1_500);
    await collect([apiOf("a", one)], at(15), "api@a");
    await collect([apiOf("b", other)], at(15), "api@b");
    const figures = await figuresAt(30);
    expect(figures["algobrain.api.error_rate"]).toBe(0.04);
    // Rank 950 of 1000: 900 were quick, 50 of the 60 between 500 and 1000 ms are below.
    expect(figures["algobrain.api.latency_p95_ms"]).toBeCloseTo(500 + (50 / 60) * 500, 6);
    // Rank 990: 30 of the 40 between 1000 and 2000 ms.
    expect(figures["algobrain.api.latency_p99_ms"]).toBeCloseTo(1_750, 6);
  });

  it("outlive a process that begins anew, and end with the minute", async () => {
    const before = new ApiTally(clock);
    answer(before, 500, 200, 4);
    await collect([apiOf("a", before)], at(0), "api@a");
    const after = new ApiTally(clock);
    answer(after, 10, 500, 4);
    await collect([apiOf("a", after)], at(15), "api@a");
    expect((await figuresAt(30))["algobrain.api.error_rate"]).toBe(1);
    expect(await figuresAt(120)).toEqual({});
  });
});

describe("arrivals", () => {
  const ago = (seconds: number) =>
    db.query(
      "UPDATE public.jobs SET created_at = now() - $1 * interval '1 s' WHERE created_at > now() - interval '1 s'",
      [seconds],
    );
  const enqueue = (kind: string, count: number) =>
    enqueueJobs(
      db,
      Array.from({ length: count }, () => ({ kind, payload: {} })),
    );
  const rewind = (seconds: number) =>
    db.query("UPDATE control.job_arrival SET until = until - $1 * interval '1 s'", [seconds]);

  it("are counted once each, by kind, when their minute is over, however many count", async () => {
    await enqueue("index", 5);
    await ago(90);
    await countArrivals(db, PUBLIC_KINDS);
    // What was there before counting began is no arrival; but every kind begins, at zero.
    expect((await readArrivals(db)).map(({ count }) => count)).toEqual(PUBLIC_KINDS.map(() => 0));
    await rewind(120);
    await enqueue("score", 3);
    await Promise.all([1, 2, 3].map(() => countArrivals(db, PUBLIC_KINDS)));
    await countArrivals(db, PUBLIC_KINDS);
    const counted = (await readArrivals(db)).filter(({ count }) => count > 0);
    // The three of the newest minute come with the next.
    expect(counted).toEqual([{ kind: "index", count: 5 }]);
  });

  it("of a long absence are not looked for, and a later one is not lost", async () => {
    await countArrivals(db, PUBLIC_KINDS);
    await rewind(86_400);
    await enqueue("index", 2);
    await ago(3_600);
    await enqueue("index", 4);
    await ago(600);
    await countArrivals(db, PUBLIC_KINDS);
    expect((await readArrivals(db)).find(({ kind }) => kind === "index")?.count).toBe(4);
  });

  it("stand beside what was begun", async () => {
    const tally = new JobTally(db);
    const job = { job_id: "job-1", job_type: "index", worker_id: "index-worker-1", attempt: 1 };
    for (let i = 0; i < 3; i++) tally.observe({ event: "job.claimed", waited_ms: 1, ...job });
    await tally.flush();
    const samples = await arrivalsSource(db).collect(new Date());
    expect(samples).toHaveLength(2 * PUBLIC_KINDS.length);
    const started = samples.filter(({ metric }) => metric === "algobrain.jobs.started_total");
    expect(started.find(({ labels }) => labels.worker_type === "index")?.value).toBe(3);
  });
});

describe("samples of a backup", () => {
  const run = (fields: string, values: string) =>
    db.query(
      `INSERT INTO control.run (runbook, actor, role, door, content_hash, ended_at, ${fields})
       VALUES ('backup-database', 'ann', 'admin', 'cli', 'h', ${values})`,
    );

  it("are of the last that was read back; a dry run, a failed and an unproven one are none", async () => {
    expect(await backupSource(db).collect(new Date())).toEqual([]);
    await run("status, verified", "'2026-01-28T01:00:00Z', 'succeeded', true");
    await run("status, verified", "'2026-01-28T02:00:00Z', 'succeeded', false");
    await run("status, verified", "'2026-01-28T03:00:00Z', 'failed', true");
    await run("status, verified, dry_run", "'2026-01-28T04:00:00Z', 'succeeded', true, true");
    const [sample] = await backupSource(db).collect(new Date());
    expect(sample?.value).toBe(Date.UTC(2026, 0, 28, 1) / 1_000);
  });
});

/** One round of everything that measures, a minute old at most. */
async function collectAll(): Promise<void> {
  await registerWorker(db, { lane: "general", kinds: ["index"], hostname: "h", pid: 1 });
  const options = { sql: db, policy: () => policy };
  const tally = new ApiTally(systemClock);
  const now = new Date(Date.now() - 15_000);
  await collect([apiOf("h", tally)], new Date(now.getTime() - 15_000), "api@h");
  answer(tally, 20, 200, 7);
  await collect([apiOf("h", tally)], now, "api@h");
  await enqueueJobs(db, [
    { kind: "index", payload: {} },
    { kind: "index", payload: {} },
  ]);
  await db.query("UPDATE public.jobs SET status = 'completed' WHERE job_type = 'index'");
  await collect(
    [
      jobsSource(options),
      tallySource(db),
      arrivalsSource(db),
      workersSource(options),
      apiFiguresSource(db),
      noticesSource(options),
      dependenciesSource(db),
      databaseSource({ ...options, otherProcesses: 1, queryTimes: new QueryTimes() }),
      hostSource("."),
      processSource({ role: "all", host: "h", clock: systemClock }),
      backupSource(db),
      adoptionSource(db),
      refusedSource(db),
    ],
    new Date(),
  );
  await beatStep(db).run(new Date(), signal);
}

describe("the scraper's text", () => {
  it("has every metric of HB-met-10, each family once, and only fractions where fractions are meant", async () => {
    await collectAll();
    const metrics = createMetrics({
      clock: systemClock,
      readSamples: () => readNewestRounds(db, 60_000),
      catalogue: () => policy.metrics,
    });
    const { body } = await metrics.render();
    const families = [...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!);
    expect(families.length).toBe(new Set(families).size);
    const wanted = [
      ...["worker.success_rate", "worker.error_count", "api.error_rate", "db.connections"],
      ...["db.pool_size", "jobs.pending", "healdec.action_rate", "orchestrator.heartbeat"],
      ...["api.latency_p95_ms", "jobs.arrived_total", "jobs.started_total", "db.size_bytes"],
      ...["workers.alive_by_kind", "process.cpu_ratio", "host.disk_used_ratio"],
    ].map((name) => prometheusName(policy.metrics[`algobrain.${name}`]!).name);
    expect(families).toEqual(expect.arrayContaining(wanted));
    const ratios = [...body.matchAll(/^algobrain_\w+_ratio(?:\{.*\})? (\S+)$/gm)];
    expect(ratios.length).toBeGreaterThan(5);
    for (const [line, value] of ratios)
      expect(Number(value) >= 0 && Number(value) <= 1, line).toBe(true);
    expect(body).toContain('algobrain_api_request_duration_seconds_bucket{host="h",le="0.01"} 20');
    expect(body).toContain('algobrain_api_request_duration_seconds_count{host="h"} 20');
  });

  it("orders buckets by their bound, escapes labels, and leaves out what no catalogue knows", () => {
    const sample = (metric: string, labels: Record<string, string>, value: number) => ({
      ...{ metric, labels, value },
    });
    const bucket = (le: string, value: number) =>
      sample("algobrain.jobs.run_duration", { worker_type: 'a"\\\n', le }, value);
    const samples = [bucket("+Inf", 9), bucket("90000", 8), bucket("10", 1), sample("x.y", {}, 1)];
    const older = { slot: at(0), source: "a", samples: [bucket("10", 0)] };
    const text = renderRounds([{ slot: at(15), source: "leader", samples }, older], policy.metrics);
    const type = 'worker_type="a\\"\\\\\\n"';
    const name = "algobrain_jobs_run_duration_seconds";
    expect(text.split("\n").slice(1)).toEqual([
      `# TYPE ${name} histogram`,
      `${name}_bucket{${type},le="0.01"} 1`,
      `${name}_bucket{${type},le="90"} 8`,
      `${name}_bucket{${type},le="+Inf"} 9`,
      `${name}_count{${type}} 9`,
      "",
    ]);
  });

  it("is served, and the silence counted, when the rounds cannot be read", async () => {
    const readSamples = async () => {
      throw new Error("gone");
    };
    const { body } = await createMetrics({ clock: systemClock, readSamples }).render();
    expect(body).toContain("algobrain_metrics_read_errors_total 1");
  });
});
