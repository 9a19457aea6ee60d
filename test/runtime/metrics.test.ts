import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/base/clock.js";
import { ApiStatsWindow } from "../../src/runtime/api-stats.js";
import { createMetrics } from "../../src/runtime/metrics.js";

function clockAt(start: number) {
  let nowMs = start;
  const clock: Clock = { now: () => new Date(nowMs), sleep: async () => {} };
  return { clock, advance: (ms: number) => (nowMs += ms) };
}

const job = { job_id: "job-1", job_type: "index", worker_id: "index-worker-1", attempt: 1 };

describe("metrics", () => {
  it("count what the runtime says, by type", async () => {
    const metrics = createMetrics({ clock: clockAt(0).clock });
    metrics.observeEvent({ event: "job.claimed", waited_ms: 3, ...job });
    metrics.observeEvent({ event: "job.completed", duration_ms: 20, ...job });
    metrics.observeEvent({ event: "job.lost", ...job });
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
    expect(body).toContain('algobrain_job_claims_total{job_type="index"} 1');
    expect(body).toContain('algobrain_job_settles_total{job_type="index",outcome="completed"} 1');
    expect(body).toContain('algobrain_job_late_settles_total{job_type="index"} 1');
    expect(body).toContain(
      'algobrain_healdec_actions_total{failure_type="crash",strategy="restart"} 1',
    );
    expect(body).toContain("process_cpu_seconds_total");
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

describe("api stats", () => {
  it("say nothing without requests", () => {
    const window = new ApiStatsWindow(clockAt(0).clock);
    expect(window.read()).toEqual({ p95Ms: null, errorRate: null, requests: 0 });
  });

  it("give the 95th percentile and the share of 5xx of the last minute", () => {
    const { clock, advance } = clockAt(1_000_000);
    const window = new ApiStatsWindow(clock);
    window.observe({ route: "/api/v1/jobs", status: 500, problem: "internal", durationMs: 9_999 });
    advance(60_000);
    for (let i = 1; i <= 100; i++)
      window.observe({
        route: "/api/v1/jobs",
        status: i <= 5 ? 503 : 404,
        problem: null,
        durationMs: i,
      });
    expect(window.read()).toEqual({ p95Ms: 95, errorRate: 0.05, requests: 100 });
  });

  it.each([
    ["safe-mode", 0],
    ["not-configured", 0],
    ["database-unavailable", 1],
  ])(
    "a 503 that says %s is an error rate of %i: a refusal on purpose is no failure",
    (problem, rate) => {
      const window = new ApiStatsWindow(clockAt(0).clock);
      window.observe({ route: "/api/v1/jobs", status: 503, problem, durationMs: 1 });
      expect(window.read()).toMatchObject({ errorRate: rate, requests: 1 });
    },
  );

  it.each(["/health", "/health/live", "/metrics"])(
    "say nothing of %s: who watches is no user, and a report of ill health is no failed answer",
    (route) => {
      const window = new ApiStatsWindow(clockAt(0).clock);
      window.observe({ route, status: 503, problem: null, durationMs: 1 });
      expect(window.read().requests).toBe(0);
    },
  );
});
