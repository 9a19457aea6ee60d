/** The handbook's overview as CloudWatch takes a dashboard (HB-dash-01…05). */
import { expect, test } from "vitest";
import { cloudWatchDashboard } from "../../../src/alert/outlet/cloudwatch-dashboard.js";
import { makeMetric, makePolicy } from "../../support/make-policy.js";

const LOGS = ["/ecs/algobrain-workers"];

interface Widget {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

function widgets(change: Partial<ReturnType<typeof makePolicy>> = {}): Widget[] {
  const body = cloudWatchDashboard({ ...makePolicy(), ...change }, LOGS);
  return body.widgets as unknown as Widget[];
}

function titled(all: readonly Widget[], title: string): Widget {
  const found = all.find(({ properties }) => JSON.stringify(properties).includes(title));
  if (found === undefined) throw new Error(`no widget "${title}"`);
  return found;
}

test("pending jobs are one number, of the series that the alarm watches (HB-dash-03, HB-met-06)", () => {
  expect(titled(widgets(), "Pending Jobs")).toMatchObject({
    type: "metric",
    properties: { view: "singleValue", metrics: [["AlgoBrain", "JobQueueDepth"]] },
  });
});

test("success is a line over time, where the catalogue has the metric (HB-dash-02)", () => {
  const metric = makeMetric("algobrain.worker.success_rate", { unit: "ratio" });
  const metrics = { ...makePolicy().metrics, [metric.name]: metric };
  expect(titled(widgets({ metrics }), "Worker Success Rate")).toMatchObject({
    type: "metric",
    properties: {
      view: "timeSeries",
      metrics: [["AlgoBrain", "WorkerSuccessRate"]],
      region: "us-east-1",
    },
  });
});

test("what nobody measures says so and asks for nothing", () => {
  const missing = titled(widgets(), "Database query time");
  expect(missing).toMatchObject({
    type: "text",
    properties: { markdown: expect.stringContaining("algobrain.db.query_p95_ms") },
  });
  const planned = makeMetric("algobrain.cache.hit_rate", { planned: "later" });
  const metrics = { ...makePolicy().metrics, [planned.name]: planned };
  expect(titled(widgets({ metrics }), "Redis hits").type).toBe("text");
});

test("the kinds that fail most come from the logs, the ten worst (HB-dash-04)", () => {
  const { type, properties } = titled(widgets(), "Top Failing Workers");
  expect(type).toBe("log");
  expect(properties.query).toMatch(/^SOURCE '\/ecs\/algobrain-workers' \| filter /);
  expect(properties.query).toMatch(/sort failures desc\n\| limit 10$/);
});

test("every service shows what it uses of its tasks", () => {
  const { properties } = titled(widgets(), "MemoryUtilization");
  expect(properties.metrics).toContainEqual([
    ...["AWS/ECS", "MemoryUtilization", "ClusterName", "algobrain-prod"],
    ...["ServiceName", "executor"],
  ]);
});

test("no widget lies over another or over the edge", () => {
  const taken = new Set<string>();
  for (const { x, y, width, height } of widgets()) {
    expect(x + width).toBeLessThanOrEqual(24);
    for (let column = x; column < x + width; column++) {
      for (let row = y; row < y + height; row++) {
        expect(taken.has(`${column},${row}`)).toBe(false);
        taken.add(`${column},${row}`);
      }
    }
  }
});
