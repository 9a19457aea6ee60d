/** Why an alert was told or not, over HTTP: after real ticks on real samples, never on rows made by hand. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { HOUR_MS } from "../../src/base/duration.js";
import { silentLogger } from "../../src/base/log.js";
import { compileSchema } from "../../src/base/schema.js";
import { LEADER_SOURCE } from "../../src/runtime/evaluator-board.js";
import { createSpeak } from "../../src/runtime/speak.js";
import { createEvaluateAlertsTick } from "../../src/runtime/tick/evaluate-alerts.js";
import { insertSamples } from "../../src/store/samples.js";
import { postSilence } from "../../src/store/silences.js";
import { createServer } from "../../src/web/server.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  makeLevel,
  makeMetric,
  makePolicy,
  makeReceiver,
  makeRule,
} from "../support/make-policy.js";
import { makeDeps, SECRET } from "./harness.js";

const START = 1_700_000_040_000;
const EVERY = 15_000;
const at = (tick: number, plusMs = 0) => new Date(START + tick * EVERY + plusMs);
const moment = (tick: number) => at(tick).toISOString();

const depth = makeRule({
  ...{ name: "depth-high", everyMs: EVERY, by: ["worker_type"], groupWaitMs: 0, cooldownMs: 0 },
  groupIntervalMs: 0,
  signal: { form: "last", of: { metric: "depth", where: {} } },
  levels: [
    makeLevel({ id: "AR-06", value: 1000, forMs: EVERY }),
    makeLevel({ id: "AR-07", value: 5000, forMs: 4 * EVERY, severity: "sev1" }),
  ],
});
const base = makePolicy();
const policy = makePolicy({
  alerts: [
    depth,
    makeRule({ name: "later", levels: [makeLevel({ id: "AR-90" })], waitsFor: ["beat"] }),
  ],
  metrics: { depth: makeMetric("depth", { labels: ["worker_type"] }) },
  routes: {
    ...base.routes,
    receivers: { ops: makeReceiver("ops", { kind: "slack", channel: "#a" }) },
  },
});

let lent: TestDatabase;
let app: Awaited<ReturnType<typeof createServer>>;
let now = START;
let tick: ReturnType<typeof createEvaluateAlertsTick>;

beforeAll(async () => {
  lent = await createTestDatabase();
  const clock = { ...systemClock, now: () => new Date(now) };
  app = await createServer(makeDeps(lent.db, { policy: () => policy, clock }));
});
afterAll(async () => {
  await app.close();
  await lent.drop();
});
beforeEach(async () => {
  await lent.db.query(
    `TRUNCATE control.alert_state, control.alert_event, control.alert_group, control.alert_clock, control.silence,
       control.sample_round, control.notice, control.lease, control.receiver_lane, public.jobs CASCADE`,
  );
  const deps = { db: lent.db, log: silentLogger, holder: "a", policy: () => policy };
  tick = createEvaluateAlertsTick({ ...deps, speak: createSpeak() });
});

/** Samples of a tick by worker type, and the tick itself. */
async function live(n: number, values: Record<string, number>): Promise<void> {
  const samples = Object.entries(values).map(([worker_type, value]) => {
    return { metric: "depth", labels: { worker_type }, at: at(n), value };
  });
  await insertSamples(lent.db, samples, LEADER_SOURCE);
  now = at(n, 1_000).getTime();
  await tick.run(at(n, 4_000), new AbortController().signal);
}

async function ask(id: string) {
  const asked = { subject: "test-viewer", role: "viewer", ttlMs: HOUR_MS } as const;
  const token = await signToken({ ...asked, now: new Date(now) }, [SECRET]);
  return app.inject({
    url: `/api/v1/alerts/${encodeURIComponent(id)}/explain`,
    headers: { authorization: `Bearer ${token}` },
  });
}

async function explain(id: string) {
  const reply = await ask(id);
  expect(reply.statusCode, reply.body).toBe(200);
  return reply.json();
}

const INDEX = "AR-06~worker_type=index";

it("says what was measured, from which samples, and how far each level is", async () => {
  await live(0, { index: 1523, score: 1 });
  const { alerts, ...rule } = await explain(INDEX);
  expect(rule).toMatchObject({
    ...{ rule: "depth-high", every_ms: EVERY, instances: 2, judged_at: moment(0) },
    measures: "the newest value of depth",
  });
  expect(alerts).toHaveLength(1);
  expect(alerts[0]).toMatchObject({
    ...{ id: INDEX, phase: "pending", level: null, value: 1523, judged_value: 1523, unit: "count" },
    series: [
      {
        metric: "depth",
        labels: { worker_type: "index" },
        samples: 1,
        last: 1523,
        last_at: moment(0),
      },
    ],
    levels: [
      {
        id: "AR-06",
        fires: "> 1000 for 15s",
        phase: "pending",
        since: moment(0),
        fires_at: moment(1),
      },
      { id: "AR-07", fires: "> 5000 for 1m", phase: "quiet", since: null, fires_at: null },
    ],
    receivers: [
      {
        receiver: "ops",
        told: false,
        reason: null,
        sentence: "Nothing fires, so there is nothing to tell.",
      },
    ],
    transitions: [{ transition: "pending", level: "AR-06", at: moment(0) }],
  });
});

it("says whom it told, and why it did not tell them again", async () => {
  for (const n of [0, 1]) await live(n, { index: 1523 });
  const told = (await explain(INDEX)).alerts[0];
  expect(told).toMatchObject({ phase: "firing", level: "AR-06", told_at: moment(1) });
  expect(told.receivers).toMatchObject([
    { receiver: "ops", told: true, reason: "first-notification", decided_at: moment(1) },
  ]);
  expect(told.text).toContain("ops: told (first-notification)");
  await live(2, { index: 1523 });
  const quiet = (await explain(INDEX)).alerts[0];
  expect(quiet.receivers[0]).toMatchObject({
    ...{ told: true, reason: "nothing-changed" },
    sentence: expect.stringContaining("nothing had changed"),
  });
  const lane = { lane: "normal", per_minute_max: 20, storm_since: null, waiting: 0 };
  expect(told.receivers[0].lanes).toEqual([{ ...lane, tokens: 19 }]);
  expect(quiet.receivers[0].lanes).toEqual([{ ...lane, tokens: 20 }]);
});

it("says which silence holds it back, and whose it is", async () => {
  await live(0, { index: 1523 });
  const wish = {
    ...{ id: null, startsAt: at(0), endsAt: new Date(START + HOUR_MS), silencesPages: false },
    matchers: [{ name: "alertname", value: "depth-high", isRegex: false, isEqual: true }],
    ...{ createdBy: "ann", comment: "the index moves" },
  };
  const context = { by: "api:ann", now: at(0), limits: policy.monitoring.silences, rules: [depth] };
  await lent.db.transaction((tx) => postSilence(tx, wish, context));
  await live(1, { index: 1523 });
  const [alert] = (await explain(INDEX)).alerts;
  expect(alert).toMatchObject({
    ...{ phase: "firing", told_at: null },
    silenced_by: [{ owner: "ann", reason: "the index moves" }],
    receivers: [{ told: false, reason: "silenced", sentence: "It was not told: it is silenced." }],
  });
  expect(alert.text).toMatch(/Silenced by .* until .*: ann, "the index moves"\./);
  const { rows } = await lent.db.query("SELECT matches FROM control.silence");
  expect(rows).toEqual([{ matches: 1 }]);
});

it("says that there are no samples", async () => {
  for (const n of [0, 1]) await live(n, { index: 1523 });
  for (let n = 2; n < 8; n += 1) await live(n, {});
  const [alert] = (await explain(INDEX)).alerts;
  expect(alert).toMatchObject({ phase: "firing", value: null, judged_value: 1523, series: [] });
  expect(alert.text).toContain("No samples");
});

it("explains all alerts of a rule, those that fire foremost; by its name, too", async () => {
  for (const n of [0, 1]) await live(n, { score: 1, index: 1523 });
  for (const id of ["AR-06", "AR-07", "ar-06", "depth-high"]) {
    const { alerts } = await explain(id);
    expect(alerts.map((one: { instance: string }) => one.instance)).toEqual([
      "worker_type=index",
      "worker_type=score",
    ]);
  }
});

it("says of a rule that waits for its metric that it is not judged", async () => {
  const { alerts } = await explain("AR-90");
  expect(alerts[0].text).toContain("Not judged: it waits for beat.");
});

it("names what is near when there is nothing of that name", async () => {
  await live(0, { index: 1 });
  const near = async (id: string) => {
    const reply = await ask(id);
    expect([id, reply.statusCode]).toEqual([id, 404]);
    return reply.json().detail as string;
  };
  expect(await near("AR-O6")).toContain("there is AR-06");
  expect(await near("depht-high")).toContain("there is depth-high");
  expect(await near("AR-06~worker_type=indx")).toContain("there is worker_type=index");
  expect(await near("AR-06~%00")).toContain("depth-high has no alert");
});

it("answers with what our OpenAPI document says", async () => {
  for (const n of [0, 1]) await live(n, { index: 1523 });
  const { paths } = (await app.inject("/documentation/json")).json();
  const { schema } =
    paths["/api/v1/alerts/{id}/explain"].get.responses["200"].content["application/json"];
  expect(compileSchema(schema).check(await explain(INDEX))).toEqual([]);
});
