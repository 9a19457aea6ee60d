/** A round: on the grid, of all sources that can see, rounded, bounded, signed for by who leads. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ExportedSample } from "../../src/alert/port.js";
import { createLogger, silentLogger } from "../../src/base/log.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import { gauge, type SampleSource } from "../../src/runtime/sample/source.js";
import { collectSamplesTick } from "../../src/runtime/tick/collect-samples.js";
import type { Database } from "../../src/store/database.js";
import { readRoundsSince } from "../../src/store/sample-rounds.js";
import { readSigns } from "../../src/store/signs-of-life.js";
import { SHIPPED } from "../policy/shipped.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const checked = loadPolicySet(SHIPPED, "local");
if (!checked.ok)
  throw new Error("the shipped policies are invalid: see test/policy/shipped.test.ts");
const policy = checked.value;

let test: TestDatabase;
let db: Database;
beforeAll(async () => {
  test = await createTestDatabase();
  db = test.db;
});
afterAll(() => test.drop());
beforeEach(async () => {
  await db.query(
    "TRUNCATE control.sample_round, control.sample_refusal, control.series, control.sign_of_life CASCADE",
  );
});

const SLOT = Date.UTC(2026, 0, 28, 12);
const { signal } = new AbortController();

const broken: SampleSource = {
  name: "broken",
  collect: async () => {
    throw new Error("no such sensor");
  },
};

function of(metric: string, value: number, labels = {}): SampleSource {
  return { name: metric, collect: async (now) => gauge(metric, value, now, labels) };
}

async function collect(sources: SampleSource[], atMs: number, source?: string) {
  const deps = { db, log: silentLogger, policy: () => policy, sources, source };
  await collectSamplesTick(deps).run(new Date(atMs), signal);
}

const rounds = () => readRoundsSince(db, new Date(0), new Date(SLOT + 86_400_000));

describe("a round of samples", () => {
  it("stands on the grid, holds what each source saw, and lacks what one could not see", async () => {
    const waiting = of("algobrain.jobs.pending", 3, { worker_type: "index" });
    await collect([broken, waiting, of("algobrain.cache.hit_rate", 2 / 3)], SLOT + 2_345);
    const [round, ...more] = await rounds();
    expect(more).toEqual([]);
    expect(round).toMatchObject({ slot: new Date(SLOT), source: "leader" });
    expect(round!.samples).toEqual([
      { metric: "algobrain.cache.hit_rate", labels: {}, value: 0.666667 },
      { metric: "algobrain.jobs.pending", labels: { worker_type: "index" }, value: 3 },
    ]);
  });

  it("is signed for by who leads, and by nobody when there was nothing to see", async () => {
    const one = of("algobrain.cache.hit_rate", 1);
    await collect([one], SLOT, "api@h:1:ab");
    await collect([broken], Date.now());
    expect((await readSigns(db)).samplesMs).toBeNull();
    await collect([one], Date.now());
    expect((await readSigns(db)).samplesMs).toBeLessThan(60_000);
  });

  it("of two sources at one moment are two, and the same again is one", async () => {
    await collect([of("algobrain.cache.hit_rate", 1)], SLOT);
    await collect([of("algobrain.jobs.failed_total", 7, { worker_type: "gc" })], SLOT, "api@h");
    await collect([of("algobrain.cache.hit_rate", 0.5)], SLOT + 9_000);
    const found = (await rounds()).map(({ source, samples }) => [source, samples[0]?.value]);
    expect(found.sort()).toEqual([
      ["api@h", 7],
      ["leader", 0.5],
    ]);
  });

  it("lets no label fill the store: what is beyond the bounds is refused, counted and logged", async () => {
    const lines: string[] = [];
    const log = createLogger({
      ...{
        level: "info",
        write: (line: string) => lines.push(line),
        redact: (text: string) => text,
      },
      ...{ clock: { now: () => new Date(SLOT), sleep: async () => {} }, fields: {} },
    });
    const monitoring = { ...policy.monitoring, samples: { seriesMax: 100, perMetricMax: 3 } };
    const sources = Array.from({ length: 9 }, (_, i) =>
      of("algobrain.breaker.state", 0, { dependency: `d${i}` }),
    );
    const tick = collectSamplesTick({
      db,
      log,
      sources,
      policy: () => ({ ...policy, monitoring }),
    });
    await tick.run(new Date(SLOT), signal);
    expect((await rounds())[0]!.samples).toHaveLength(3);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: "samples.refused", refused: 6, source: "leader" },
    ]);
  });

  it("goes abroad as it was stored, with the kind of each metric", async () => {
    const sent: ExportedSample[] = [];
    const sink = {
      send: (samples: readonly ExportedSample[]) => void sent.push(...samples),
      heartbeat: () => {},
      close: async () => {},
    };
    const sources = [of("algobrain.jobs.failed_total", 12_345_678, { worker_type: "gc" })];
    const deps = { db, log: silentLogger, policy: () => policy, sources, sink };
    await collectSamplesTick(deps).run(new Date(SLOT), signal);
    expect(sent).toMatchObject([{ kind: "counter", value: 12_345_678 }]);
  });
});
