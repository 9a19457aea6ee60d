/** The datagrams that Datadog's agent gets: docs.datadoghq.com/developers/dogstatsd/datagram_shell. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDogStatsd, type LostDatagrams } from "../../src/adapter/dogstatsd.js";
import { type StandInStatsd, startStandInStatsd } from "../../src/adapter/stand-in/statsd.js";
import { datadogSamples } from "../../src/alert/outlet/datadog-series.js";
import type { ExportedSample, MetricsSink } from "../../src/alert/port.js";
import { until } from "../support/until.js";

let agent: StandInStatsd;
let sink: MetricsSink;

beforeAll(async () => {
  agent = await startStandInStatsd();
  const tags = { system: "algobrain", env: "production" };
  sink = createDogStatsd({ host: "127.0.0.1", port: agent.port, tags });
});

afterAll(async () => {
  await sink.close();
  await agent.close();
});

function sample(metric: string, value: number, over: Partial<ExportedSample> = {}): ExportedSample {
  return { metric, kind: "gauge", labels: {}, value, ...over };
}

/** The lines that came of what was sent; a last line tells that all have. */
async function sent(work: () => void): Promise<string[]> {
  const from = agent.lines().length;
  work();
  sink.heartbeat(true);
  const isLast = (line: string) => line.startsWith("_sc|");
  await until(() => agent.lines().slice(from).some(isLast), "the heartbeat arrives");
  return agent
    .lines()
    .slice(from)
    .filter((line) => !isLast(line));
}

const TAGS = "#system:algobrain,env:production";

describe("lines", () => {
  test("a gauge is its value, with our names and labels", async () => {
    const samples = [
      sample("algobrain.worker.success_rate", 0.97, { labels: { worker_type: "index" } }),
      sample("algobrain.db.connections", 7),
      sample("algobrain.api.latency_p95_ms", Number.NaN),
    ];
    expect(await sent(() => sink.send(samples))).toEqual([
      `algobrain.worker.success_rate:0.97|g|${TAGS},worker_type:index`,
      `algobrain.db.connections:7|g|${TAGS}`,
    ]);
  });

  test("a counter is what it grew by: not what it held before, and from zero after a restart", async () => {
    const counted = (value: number) =>
      sink.send([sample("algobrain.jobs.failed_total", value, { kind: "counter" })]);
    const lines = await sent(() => [1_000, 1_003, 1_003, 2].forEach(counted));
    expect(lines).toEqual(
      ["3", "0", "2"].map((grown) => `algobrain.jobs.failed_total:${grown}|c|${TAGS}`),
    );
  });

  test("what would end a tag or a line becomes harmless", async () => {
    const labels = { schedule: "a|b,c#d:e\nalgobrain.forged:1|c" };
    const lines = await sent(() => sink.send([sample("algobrain.x", 1, { labels })]));
    expect(lines).toEqual([`algobrain.x:1|g|${TAGS},schedule:a_b_c_d_e_algobrain.forged_1_c`]);
  });

  test("the heartbeat is a service check: 0 is alive, 2 is not (HB-alr-04)", async () => {
    const from = agent.lines().length;
    sink.heartbeat(false);
    const line = await until(() => agent.lines()[from], "the check arrives");
    expect(line).toBe(`_sc|algobrain.orchestrator.heartbeat|2|${TAGS}`);
  });
});

test("the depth of the queue is one series with its tag, and the kinds stand beside it (HB-dash-03)", async () => {
  const kinds = ["index", "score"].map((worker_type, i) =>
    sample("algobrain.jobs.pending", 10 + i, { labels: { worker_type } }),
  );
  expect(await sent(() => sink.send(datadogSamples(kinds)))).toEqual([
    `algobrain.jobs.pending:21|g|${TAGS},status:pending`,
    `algobrain.jobs.pending_by_type:10|g|${TAGS},worker_type:index`,
    `algobrain.jobs.pending_by_type:11|g|${TAGS},worker_type:score`,
  ]);
  expect(datadogSamples([])).toEqual([]);
});

test("no datagram is larger than a frame, and every line is whole", async () => {
  const many = Array.from({ length: 500 }, (_, i) =>
    sample("algobrain.jobs.running", i, { labels: { worker_type: `kind-${i}-ü` } }),
  );
  const before = agent.datagrams.length;
  expect(await sent(() => sink.send(many))).toHaveLength(500);
  const sizes = agent.datagrams.slice(before).map((datagram) => Buffer.byteLength(datagram));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_432);
  expect(sizes.length).toBeLessThan(60);
});

describe("an agent behind a name", () => {
  const lost: LostDatagrams[] = [];
  let minutes = 0;
  const clock = { now: () => new Date(minutes * 60_000), sleep: async () => {} };
  const gauge = sample("algobrain.db.connections", 7);
  const sinkBehind = (lookup: (host: string) => Promise<string>) =>
    createDogStatsd({
      ...{ host: "datadog-agent", port: agent.port, tags: {}, clock, lookup },
      onLost: (one) => lost.push(one),
    });

  test("is asked for once, and what was sent meanwhile is not lost", async () => {
    let asked = 0;
    const named = sinkBehind(async () => {
      asked += 1;
      return "127.0.0.1";
    });
    const from = agent.lines().length;
    for (let i = 0; i < 10; i += 1) named.send([gauge]);
    await until(() => agent.lines().length >= from + 10, "all ten arrive");
    expect(asked).toBe(1);
    await named.close();
  });

  test("that is not to be had holds nobody up, and is told once a minute", async () => {
    let asked = 0;
    const nowhere = sinkBehind(async (host) => {
      asked += 1;
      throw new Error(`getaddrinfo ENOTFOUND ${host}`);
    });
    nowhere.send([gauge]);
    await until(() => {
      nowhere.send([gauge]);
      return lost[0];
    }, "what was lost is told");
    expect(lost[0]!.error).toMatch(/ENOTFOUND|no address/);
    for (let i = 0; i < 5_000; i += 1) nowhere.send([gauge]);
    expect([lost.length, asked]).toEqual([1, 1]);
    minutes += 1;
    nowhere.send([gauge]);
    expect([lost.length, asked]).toEqual([2, 2]);
    expect(lost[1]!.datagrams).toBeGreaterThanOrEqual(5_000);
    await nowhere.close();
    nowhere.send([gauge]);
  });

  test("whose resolver never answers is closed all the same, and a bounded number waits", async () => {
    const silent = sinkBehind(() => new Promise(() => {}));
    for (let i = 0; i < 5_000; i += 1) silent.send([gauge]);
    minutes += 1;
    silent.send([gauge]);
    expect(lost.at(-1)!.datagrams).toBeGreaterThanOrEqual(4_000 - 1);
    await silent.close();
  });
});
