import perfHooks from "node:perf_hooks";
import { describe, expect, it, vi } from "vitest";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { ApiTally } from "../../src/runtime/api-stats.js";
import { JobTally } from "../../src/runtime/job-tally.js";
import { createMetrics } from "../../src/runtime/metrics.js";
import { readTally } from "../../src/store/job-tally.js";
import { withDatabase } from "../support/database.js";

function clockAt(start: number) {
  let nowMs = start;
  const clock: Clock = { now: () => new Date(nowMs), sleep: async () => {} };
  return { clock, advance: (ms: number) => (nowMs += ms) };
}

const job = { job_id: "job-1", job_type: "index", worker_id: "index-worker-1", attempt: 1 };

describe("metrics", () => {
  it("count what the runtime says, by type", async () => {
    const metrics = createMetrics({ clock: clockAt(0).clock });
    metrics.observeEvent({
      event: "healdec.acted",
      ...job,
      failure_type: "crash",
      strategy: "restart",
      reason: "restart-elsewhere",
      success: null,
    });
    const { body, contentType } = await metrics.render();
    expect(contentType).toContain("text/plain");
    expect(body).toContain(
      'algobrain_healdec_actions_total{failure_type="crash",strategy="restart"} 1',
    );
    expect(body).toContain("process_cpu_seconds_total");
  });

  it("tell what the handlers of all processes came to (EP-24)", () =>
    withDatabase(async (db) => {
      const ended = (duration_ms: number) =>
        ({ event: "job.completed", duration_ms, ...job }) as const;
      const [one, other] = [new JobTally(db), new JobTally(db)];
      for (const ms of [20, 700]) one.observe(ended(ms));
      one.observe({ event: "job.claimed", waited_ms: 3, ...job });
      other.observe(ended(40_000));
      other.observe({ event: "job.lost", ...job });
      await Promise.all([one.flush(), other.flush()]);
      await one.flush();
      const metrics = createMetrics({ clock: clockAt(0).clock, readTally: () => readTally(db) });
      const { body } = await metrics.render();
      const lines = body.split("\n").filter((line) => /^algobrain_job_(settles|dur)/.test(line));
      const of = 'algobrain_job_duration_seconds_bucket{job_type="index",le=';
      expect(lines).toEqual([
        'algobrain_job_settles_total{job_type="index",outcome="completed"} 3',
        'algobrain_job_settles_total{job_type="index",outcome="lost"} 1',
        ...[
          [0.01, 0],
          [0.1, 1],
          [0.5, 1],
          [1, 2],
          [5, 2],
          [30, 2],
          [70, 3],
          [90, 3],
          [120, 3],
          [600, 3],
        ].map(([bound, n]) => `${of}"${bound}"} ${n}`),
        `${of}"+Inf"} 3`,
        'algobrain_job_duration_seconds_sum{job_type="index"} 40.72',
        'algobrain_job_duration_seconds_count{job_type="index"} 3',
      ]);
    }));

  it("lose no count while the database is away", async () => {
    let away = true;
    const sent: unknown[] = [];
    const tally = new JobTally({
      query: async (_text, values) => {
        if (away) throw new Error("gone");
        sent.push(...(JSON.parse(String(values?.[0])) as unknown[]));
        return { rows: [], rowCount: 0 };
      },
    });
    tally.observe({ event: "job.completed", duration_ms: 400, ...job });
    await expect(tally.flush()).rejects.toThrow("gone");
    tally.observe({ event: "job.completed", duration_ms: 2_000, ...job });
    away = false;
    await tally.flush();
    expect(sent).toEqual([
      {
        ...{ jobType: "index", outcome: "completed", count: 2, seconds: 2.4 },
        buckets: [0, 0, 1, 1, 2, 2, 2, 2, 2, 2],
      },
    ]);
  });

  it("measure the process from the first scrape on: the many that are never scraped pay nothing", async () => {
    const monitor = vi.spyOn(perfHooks, "monitorEventLoopDelay");
    const metrics = createMetrics({ clock: systemClock });
    expect(monitor).not.toHaveBeenCalled();
    const { body } = await metrics.render();
    await metrics.render();
    expect(monitor).toHaveBeenCalledTimes(1);
    const [, meanS] = /^nodejs_eventloop_lag_mean_seconds (\S+)$/m.exec(body)!;
    expect(Number(meanS)).toBeGreaterThan(0);
    monitor.mockRestore();
  });

  it("are served without job counts when the database is silent", async () => {
    const metrics = createMetrics({
      clock: clockAt(0).clock,
      readJobs: async () => {
        throw new Error("gone");
      },
    });
    expect((await metrics.render()).body).toContain("algobrain_metrics_read_errors_total 1");
  });

  it("show jobs by type and status as they are at the scrape", async () => {
    const metrics = createMetrics({
      clock: clockAt(0).clock,
      readJobs: async () => [{ jobType: "gc", status: "pending", count: 4 }],
    });
    expect((await metrics.render()).body).toContain(
      'algobrain_jobs{job_type="gc",status="pending"} 4',
    );
  });
});

const answered = (status: number, durationMs: number, problem: string | null = null) => ({
  ...{ route: "/api/v1/jobs", status, problem, durationMs },
});

describe("what a process counts of its answers", () => {
  it("is zeros in every class and bucket before the first: a counter must be seen to grow", () => {
    const { answers, durations, perMinute, overheadMs } = new ApiTally(clockAt(0).clock).read();
    expect(Object.values(answers)).toEqual([0, 0, 0, 0, 0]);
    expect(durations.at(-1)).toEqual({ le: "+Inf", count: 0 });
    expect([perMinute, overheadMs]).toEqual([0, null]);
  });

  it("are classes and cumulative buckets since it began, and the load of the last minute", () => {
    const { clock, advance } = clockAt(1_000_000);
    const tally = new ApiTally(clock);
    tally.observe(answered(500, 9_999));
    advance(60_000);
    for (const ms of [5, 5.1, 700, 20_000]) tally.observe(answered(ms > 600 ? 404 : 302, ms));
    const { answers, durations, perMinute } = tally.read();
    expect(answers).toEqual({ "2xx": 0, "3xx": 2, "4xx": 2, "5xx": 1, refused: 0 });
    expect(durations.map(({ le, count }) => `${le}:${count}`).join(" ")).toBe(
      "5:1 10:2 25:2 50:2 100:2 250:2 500:2 1000:3 2000:3 5000:3 10000:4 +Inf:5",
    );
    expect(perMinute).toBe(4);
  });

  it("count every request of the last minute", () => {
    const { clock, advance } = clockAt(1_000_000);
    const tally = new ApiTally(clock);
    for (let second = 0; second < 200; second++) {
      for (let i = 0; i < 500; i++) tally.observe(answered(200, 1));
      advance(1_000);
    }
    // The second that has just begun, and the 59 before it.
    expect(tally.read().perMinute).toBe(59 * 500);
  });

  it("say what measuring costs a request, on average", () => {
    const tally = new ApiTally(clockAt(0).clock);
    for (const ms of [1, 3]) {
      tally.observe(answered(200, 10));
      tally.addOverhead(ms);
    }
    expect(tally.read().overheadMs).toBe(2);
  });

  it.each([
    ["safe-mode", "refused"],
    ["not-configured", "refused"],
    ["database-unavailable", "5xx"],
  ] as const)(
    "a 503 that says %s is %s: a refusal on purpose is no failure",
    (problem, counted) => {
      const tally = new ApiTally(clockAt(0).clock);
      tally.observe(answered(503, 1, problem));
      expect(tally.read().answers[counted]).toBe(1);
    },
  );

  it.each(["/health", "/health/live", "/metrics"])(
    "say nothing of %s: who watches is no user, and a report of ill health is no failed answer",
    (route) => {
      const tally = new ApiTally(clockAt(0).clock);
      tally.observe({ ...answered(503, 1), route });
      expect(tally.read()).toMatchObject({ perMinute: 0, answers: { "5xx": 0 } });
    },
  );
});
