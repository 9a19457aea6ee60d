/** What reaches the outbox, the digests and the memory of groups, tick by tick, on a real database. */
import { afterEach, describe, expect, test } from "vitest";
import { compileRule } from "../../src/alert/compile.js";
import { stepRule } from "../../src/alert/evaluate.js";
import type { RuleState, Transition } from "../../src/alert/state.js";
import type { AlertRule, PolicySet } from "../../src/policy/policy.js";
import { createSpeak, type SpeakDeps, type Spoken } from "../../src/runtime/speak.js";
import type { PageNews } from "../../src/runtime/speaking/page-news.js";
import { readGroups } from "../../src/store/alert-groups.js";
import { appendAlertEvents } from "../../src/store/alerts.js";
import type { Database } from "../../src/store/database.js";
import { listDigestEntries } from "../../src/store/digests.js";
import { listNotices, type Notice } from "../../src/store/notices.js";
import { withDatabase } from "../support/database.js";
import { lendToFile } from "../support/lend.js";
import {
  makeLevel,
  makeMetric,
  makePolicy,
  makeReceiver,
  makeRule,
} from "../support/make-policy.js";

const database = lendToFile<Database>(withDatabase);

afterEach(() =>
  database().query(
    `TRUNCATE control.alert_group, control.receiver_lane, control.digest_entry, control.notice,
       control.alert_event, control.alert_state, control.silence, public.jobs CASCADE`,
  ),
);

const EVERY = 15_000;
const START = 1_700_000_040_000;
const METRICS = {
  depth: makeMetric("depth"),
  "algobrain.notices.failing": makeMetric("algobrain.notices.failing", { labels: ["receiver"] }),
};

function makeDepthRule(name: string, overrides: Partial<AlertRule> = {}): AlertRule {
  return makeRule({
    ...{ name, everyMs: EVERY, groupWaitMs: 0, groupIntervalMs: 0, cooldownMs: 0 },
    signal: { form: "last", of: { metric: "depth", where: {} } },
    levels: [makeLevel({ id: `${name}-W`, severity: "sev3", value: 10, notify: ["ops"] })],
    ...overrides,
  });
}

const manyRules = (count: number, overrides: Partial<AlertRule> = {}) =>
  Array.from({ length: count }, (_, n) => makeDepthRule(`rule-${n}`, overrides));

function policyOf(alerts: readonly AlertRule[]): PolicySet {
  const policy = makePolicy({ alerts: [...alerts], metrics: METRICS });
  const receivers = {
    ops: makeReceiver("ops", { kind: "slack", channel: "#ops" }),
    oncall: makeReceiver("oncall", { kind: "pagerduty" }),
    mail: makeReceiver("mail", { kind: "email", to: ["a@b.c"] }, { sendResolved: false }),
  };
  return { ...policy, routes: { ...policy.routes, receivers } };
}

/** By rule and instance; what is missing has the value 0. */
type Values = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The evaluator's part: steps the rules, lets us speak, stores the events. */
class World {
  readonly #speak;
  states = new Map<string, RuleState>();
  policy: PolicySet;
  last: Spoken | null = null;

  constructor(alerts: readonly AlertRule[], deps: SpeakDeps = {}) {
    this.policy = policyOf(alerts);
    this.#speak = createSpeak(deps);
  }

  async tick(n: number, values: Values): Promise<Spoken> {
    const now = new Date(START + n * EVERY);
    const transitions: Transition[] = [];
    const states = new Map<string, RuleState>();
    for (const rule of this.policy.alerts) {
      const given = values[rule.name] ?? {};
      const before = this.states.get(rule.name) ?? {};
      const instances = new Set([...Object.keys(given), ...Object.keys(before)]);
      const readings = [...instances].map((instance) => ({
        ...{ instance, value: given[instance] ?? 0 },
        labels: Object.fromEntries(rule.by.map((name) => [name, instance])),
      }));
      const step = stepRule({ rule: compileRule(rule, METRICS), state: before, readings, now });
      states.set(rule.name, step.state);
      transitions.push(...step.transitions);
    }
    const { policy } = this;
    const spoken = await database().transaction(async (tx) => {
      const done = await this.#speak(tx, { policy, states, transitions, removed: [], now });
      await appendAlertEvents(tx, transitions);
      return done;
    });
    // As a restart between any two ticks would leave it.
    this.states = new Map(JSON.parse(JSON.stringify([...spoken.states])) as [string, RuleState][]);
    this.last = spoken;
    return spoken;
  }
}

const all = (rules: readonly AlertRule[], value: number): Values =>
  Object.fromEntries(rules.map(({ name }) => [name, { all: value }]));

async function noticesTo(receiver: string): Promise<Notice[]> {
  const { rows } = await database().query<{ id: number }>("SELECT id FROM control.notice");
  expect(rows.length).toBeLessThanOrEqual(200);
  const notices = await listNotices(database(), { limit: 200 });
  return notices.filter((one) => one.receiver === receiver).sort((a, b) => a.id - b.id);
}

const told = async (receiver: string) =>
  (await noticesTo(receiver)).map(({ action, reason, alerts }) => `${action} ${reason} ${alerts}`);

describe("a storm", () => {
  const pages = {
    levels: [makeLevel({ id: "P", severity: "sev1", notify: ["ops", "oncall"], value: 10 })],
  };
  const rules = [
    ...manyRules(490),
    ...manyRules(10, pages).map((rule) => ({ ...rule, name: `page-${rule.name}` })),
  ];

  test("of 500 rules in one tick is a digest; pages go out by themselves; every alert is in one place", async () => {
    const world = new World(rules);
    const spoken = await world.tick(0, all(rules, 20));
    expect(await told("oncall")).toEqual(Array(10).fill("trigger first-notification 1"));
    expect(await told("ops")).toEqual([
      ...Array<string>(10).fill("trigger first-notification 1"),
      "trigger digest 490",
    ]);
    expect(spoken.digested).toBe(490);
    const digest = (await noticesTo("ops")).at(-1)!;
    const entries = await listDigestEntries(database(), {
      noticeId: digest.id,
      after: 0,
      limit: 1_000,
    });
    expect(new Set(entries.map(({ groupKey }) => groupKey)).size).toBe(490);
    expect(digest.message.footer).toBe(`all of them: GET /api/v1/alerts/digests/${digest.id}`);
    expect(digest.message.title).toBe("Storm of alerts: 490 firing, of 490 rules (SEV3 at worst)");
  });

  test("that goes on is one digest a minute, and its end is said when it was calm for two", async () => {
    const some = rules.slice(0, 241);
    const world = new World(some);
    for (let n = 0; n < 4; n++) await world.tick(n, all(some.slice(0, (n + 1) * 60), 20));
    expect(await told("ops")).toEqual(["trigger digest 60"]);
    for (let n = 4; n < 16; n++) await world.tick(n, all(some.slice(0, 240), 20));
    expect(await told("ops")).toEqual([
      "trigger digest 60",
      "trigger digest 180",
      "resolve digest-over 240",
    ]);
    const over = (await noticesTo("ops")).at(-1)!;
    expect(over.message.title).toBe("Storm over: 240 alerts in 2 digests, 240 still firing");
    await world.tick(16, all(some, 20));
    expect((await told("ops")).at(-1)).toBe("trigger first-notification 1");
  });

  test("is one also when all have waited for their group since it began", async () => {
    const waiting = manyRules(60, { groupWaitMs: 2 * EVERY });
    const world = new World(waiting);
    for (const n of [0, 1, 2]) await world.tick(n, all(waiting, 20));
    expect(await told("ops")).toEqual(["trigger digest 60"]);
  });

  test("of ends is folded as well, but an incident that was opened by itself is closed by itself", async () => {
    const burning = manyRules(45);
    const world = new World(burning);
    await world.tick(0, all(burning, 20));
    expect(await told("ops")).toEqual([
      ...Array<string>(20).fill("trigger first-notification 1"),
      "trigger digest 25",
    ]);
    for (let n = 1; n < 30; n++) await world.tick(n, {});
    const ends = (await noticesTo("ops")).slice(21);
    const resolved = ends.filter(({ reason }) => reason === "resolved");
    const opened = (await noticesTo("ops")).slice(0, 20).map(({ dedupKey }) => dedupKey);
    expect(resolved.map(({ dedupKey }) => dedupKey)).toEqual(expect.arrayContaining(opened));
    const { rows } = await database().query<{ action: string; alerts: number }>(
      "SELECT action, sum(alerts)::int AS alerts FROM control.digest_entry GROUP BY action ORDER BY 1",
    );
    const folded = rows.find(({ action }) => action === "resolve")?.alerts ?? 0;
    expect(folded + resolved.length).toBe(45);
    expect(
      await readGroups(
        database(),
        burning.map(({ name }) => name),
      ),
    ).toEqual([]);
    expect(ends.at(-1)?.reason).toBe("digest-over");
  });
});

test("a word of the runtime costs a token, too", async () => {
  const world = new World(manyRules(30));
  await world.tick(0, { "rule-0": { all: 20 } });
  await database().query(
    `INSERT INTO control.notice (receiver, dedup_key, action, severity, source, message, reason, created_at)
     SELECT 'ops', 'word-' || n, 'trigger', 'sev3', 'x', '{}', 'runtime-word', $1 FROM generate_series(1, 15) n`,
    [new Date(START + 1)],
  );
  await world.tick(1, all(manyRules(30), 20));
  const said = (await told("ops")).filter((line) => line === "trigger first-notification 1");
  // The first, and what 15 words have left of a bucket that had filled up again.
  expect(said).toHaveLength(1 + 5);
});

describe("a group", () => {
  const rule = makeDepthRule("kinds", {
    by: ["worker_type"],
    groupBy: [],
    groupIntervalMs: 60_000,
  });

  test("is one message under one key, and its end is told once", async () => {
    const world = new World([rule]);
    await world.tick(0, { kinds: { index: 20, score: 20 } });
    await world.tick(1, { kinds: { index: 20, score: 20, gc: 20 } });
    for (const n of [2, 3, 4]) await world.tick(n, { kinds: { index: 20, gc: 20 } });
    for (const n of [5, 6, 7, 8]) await world.tick(n, {});
    expect(await told("ops")).toEqual([
      "trigger first-notification 2",
      "trigger new-alert 3",
      "resolve resolved 2",
    ]);
    const notices = await noticesTo("ops");
    expect(new Set(notices.map(({ dedupKey }) => dedupKey))).toEqual(
      new Set(["algobrain/kinds/all"]),
    );
    expect(notices[1]?.message.title).toBe(`SEV3 kinds (2 firing, 1 over): ${rule.summary}`);
    expect(notices[1]?.details).toMatchObject({ firing: 2, resolved: 1, group: "kinds/all" });
    expect(world.states.get("kinds")?.index?.told).toBeNull();
  });

  test("whose `group` is edited is ended under its old key and told under the new one", async () => {
    const world = new World([rule]);
    await world.tick(0, { kinds: { index: 20 } });
    world.policy = policyOf([{ ...rule, groupBy: null }]);
    for (let n = 1; n < 6; n++) await world.tick(n, { kinds: { index: 20 } });
    const said = (await noticesTo("ops")).map(({ action, dedupKey }) => `${action} ${dedupKey}`);
    expect(said).toEqual([
      "trigger algobrain/kinds/all",
      "trigger algobrain/kinds/index",
      "resolve algobrain/kinds/all",
    ]);
  });

  test("that another version told, which knows no groups, is not told again, and is told the end", async () => {
    const single = { ...rule, groupBy: null, groupIntervalMs: 0 };
    const world = new World([single]);
    await world.tick(0, { kinds: { index: 20 } });
    await database().query("DELETE FROM control.alert_group");
    await world.tick(1, { kinds: { index: 20 } });
    await world.tick(2, {});
    expect(await told("ops")).toEqual(["trigger first-notification 1", "resolve resolved 1"]);
  });
});

describe("who is told", () => {
  test("that a receiver fails: everyone else; where nobody else is named, whoever is on call", async () => {
    const failing = (name: string, notify: string[]) =>
      makeDepthRule(name, {
        signal: { form: "last", of: { metric: "algobrain.notices.failing", where: {} } },
        by: ["receiver"],
        levels: [makeLevel({ id: name, severity: "sev2", value: 1, notify })],
      });
    const world = new World([failing("both", ["ops", "mail"]), failing("one", ["ops"])]);
    await world.tick(0, { both: { ops: 5 }, one: { ops: 5 } });
    expect([await told("ops"), await told("mail"), await told("oncall")]).toEqual([
      [],
      ["trigger first-notification 1"],
      ["trigger first-notification 1"],
    ]);
  });

  test("of an end: not those who want to hear of none", async () => {
    const level = makeLevel({ id: "M", severity: "sev3", value: 10, notify: ["mail", "ops"] });
    const world = new World([makeDepthRule("mailed", { levels: [level] })]);
    await world.tick(0, { mailed: { all: 20 } });
    await world.tick(1, {});
    expect(await told("mail")).toEqual(["trigger first-notification 1"]);
    expect(await told("ops")).toHaveLength(2);
    expect(world.states.get("mailed")?.all).toMatchObject({ told: null, cooling: { level: "M" } });
  });

  test("a page is news for whoever opens incidents, once, in the same transaction", async () => {
    const pages: PageNews[] = [];
    const level = makeLevel({ id: "P", severity: "sev1", value: 10, notify: ["oncall"] });
    const onPage = async (_tx: unknown, page: PageNews) => void pages.push(page);
    const world = new World([makeDepthRule("down", { levels: [level] })], { onPage });
    for (const n of [0, 1, 2]) await world.tick(n, { down: { all: 20 } });
    const [notice] = await noticesTo("oncall");
    expect(pages).toEqual([
      {
        ...{ system: "algobrain", rule: "down", groupKey: "down/all", severity: "sev1" },
        title: notice?.message.title,
        startedAt: new Date(START),
        noticeId: notice?.id,
      },
    ]);
  });
});

describe("what is held back", () => {
  const child = makeDepthRule("child", {
    by: ["host"],
    inhibitedBy: [{ rule: "parent", equal: ["host"] }],
  });
  const parent = makeDepthRule("parent", {
    by: ["host"],
    levels: [makeLevel({ id: "PA", value: 10, notify: ["oncall"] })],
  });

  test("while a parent burns with the same labels; when it is over and the child is not, it speaks", async () => {
    const world = new World([parent, child]);
    await world.tick(0, { parent: { a: 20 }, child: { a: 20, b: 20 } });
    expect((await noticesTo("ops")).map(({ dedupKey }) => dedupKey)).toEqual(["algobrain/child/b"]);
    expect(world.last?.reasons).toContainEqual({
      receiver: "ops",
      groupKey: "child/a",
      reason: "inhibited",
    });
    await world.tick(1, { child: { a: 20, b: 20 } });
    expect((await noticesTo("ops")).map(({ dedupKey }) => dedupKey)).toEqual([
      "algobrain/child/b",
      "algobrain/child/a",
    ]);
  });

  test("by a silence, and speaks again when that ends; an end is told all the same", async () => {
    const world = new World([child]);
    const silence = (from: number, to: number) =>
      database().query(
        `INSERT INTO control.silence (id, source, matchers, starts_at, ends_at, created_by, comment)
         VALUES (gen_random_uuid(), 'api', $1, $2, $3, 'ann', 'the host is moved')`,
        [
          JSON.stringify([{ name: "host", value: "a", isRegex: false, isEqual: true }]),
          ...[new Date(START + from * EVERY), new Date(START + to * EVERY)],
        ],
      );
    await silence(1, 2);
    await silence(3, 9);
    for (const n of [0, 1]) await world.tick(n, { child: { a: 20 } });
    expect(world.last?.reasons).toEqual([
      { receiver: "ops", groupKey: "child/a", reason: "silenced" },
    ]);
    const { rows } = await database().query(
      "SELECT matches FROM control.silence WHERE matches > 0",
    );
    expect(rows).toEqual([{ matches: 1 }]);
    for (const n of [2, 3]) await world.tick(n, { child: { a: 20 } });
    await world.tick(4, {});
    expect(await told("ops")).toEqual([
      "trigger first-notification 1",
      "trigger silence-ended 1",
      "resolve resolved 1",
    ]);
  });
});

test("what has not changed is the same object, and writes no row", async () => {
  const rule = makeDepthRule("still", { groupIntervalMs: 300_000 });
  const world = new World([rule]);
  await world.tick(0, { still: { all: 20 } });
  await world.tick(1, { still: { all: 20 } });
  const before = await database().query("SELECT xmin, updated_at FROM control.alert_group");
  const states = new Map(world.states);
  const now = new Date(START + 2 * EVERY);
  const spoken = await database().transaction((tx) =>
    createSpeak()(tx, { policy: world.policy, states, transitions: [], removed: [], now }),
  );
  expect(spoken.states.get("still")).toBe(states.get("still"));
  expect(await database().query("SELECT xmin, updated_at FROM control.alert_group")).toEqual(
    before,
  );
});
