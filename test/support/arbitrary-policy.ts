/** Valid policies by chance: the shipped ones with other numbers and texts, and with entries of their own added. */
import fc from "fast-check";
import { printMatcher } from "../../src/policy/matcher.js";
import type { RawSet } from "../../src/policy/schema.js";

/** Everything that breaks a careless printer: marks of YAML, look-alikes of numbers and words, what no terminal shows. */
export const text = fc.oneof(
  fc.constantFrom(
    ..."- ,: ,#,true,null,~,0x1F,1e3,.5,-0,08,1_000,'a',\"b\",[c],{d},a: b,a #b,&a,*b,!c,|,>,%,@,`,?".split(
      ",",
    ),
    ..."5m|1h30m|a, b|yes|no|on|...|---|<<|=|é|💥| a|a |\u2028|\u0085|\uFEFF|a\nb|a\tb|\\|it's".split(
      "|",
    ),
  ),
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.string({ minLength: 1, maxLength: 20, unit: "binary" }),
);

const duration = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom("s", "m", "h"))
  .map(([count, unit]) => `${count}${unit}`);
const whole = (min: number, max: number) => fc.integer({ min, max });
/** Part of the time the key is not written at all. */
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** A rule on a metric of its own, so that it fits whatever else there is. */
const rule = fc.record({
  summary: text,
  every: maybe(fc.constantFrom("15s", "30s", "1m")),
  over: fc.constantFrom("1m", "5m", "1h"),
  fn: fc.constantFrom("avg", "max", "p95"),
  fullWindow: fc.boolean(),
  up: fc.boolean(),
  values: fc.uniqueArray(whole(1, 100_000), { minLength: 1, maxLength: 3 }),
  for: duration,
  ticks: maybe(
    fc.tuple(whole(1, 60), whole(1, 60)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]),
  ),
  recover: fc.boolean(),
  notify: fc.shuffledSubarray(["ops", "oncall", "pagerduty"], { minLength: 1 }),
  then: maybe(fc.constantFrom("hold", "ok", "breach", "alert")),
  cooldown: maybe(duration),
  wait: maybe(duration),
  by: maybe(fc.constantFrom([], ["shard"])),
  together: maybe(fc.constantFrom([], ["shard"])),
  parent: maybe(fc.constantFrom("service-down", "orchestrator-down")),
  where: maybe(text),
});
type Rule = typeof rule extends fc.Arbitrary<infer T> ? T : never;

const SEVERITIES = ["sev4", "sev3", "sev2", "sev1"];

function rawRule(chosen: Rule, index: number): unknown {
  const values = [...chosen.values].sort((a, b) => (chosen.up ? a - b : b - a));
  const levels = values.map((value, at) => [
    `level-${at}`,
    {
      id: `AR-${500 + index * 10 + at}`,
      ...{ severity: SEVERITIES[at], op: chosen.up ? ">" : "<", value },
      ...lasting(chosen, value),
      notify: chosen.notify,
    },
  ]);
  const where = chosen.where === undefined ? {} : { where: { shard: chosen.where } };
  return defined({
    summary: chosen.summary,
    every: chosen.every,
    signal: {
      agg: {
        metric: `chance.metric_${index}`,
        ...where,
        ...{ fn: chosen.fn, over: chosen.over, fullWindow: chosen.fullWindow },
      },
    },
    combine: "sum",
    by: chosen.by,
    levels: Object.fromEntries(levels),
    noData: chosen.then && { after: "2m", then: chosen.then },
    cooldown: chosen.cooldown,
    group: defined({ wait: chosen.wait, by: chosen.by?.length ? chosen.together : undefined }),
    inhibitedBy: chosen.parent && [{ rule: chosen.parent }],
  });
}

function lasting(chosen: Rule, value: number): object {
  const recover = chosen.recover && { recover: { value, for: "1m" } };
  return { ...(chosen.ticks ? { mOf: chosen.ticks } : { for: chosen.for }), ...recover };
}

/** A rule on two counters of its own. */
const burn = fc.record({
  slo: fc.constantFrom(0.9, 0.99, 0.999),
  long: fc.constantFrom("1h", "6h", "3d"),
  short: fc.constantFrom("1m", "5m", "30m"),
  minAll: whole(1, 1000),
  value: whole(1, 50),
});

function rawBurn({ value, ...body }: typeof burn extends fc.Arbitrary<infer T> ? T : never) {
  const [bad, all] = [{ metric: "chance.bad_total" }, { metric: "chance.all_total" }];
  return {
    summary: "Made by chance.",
    signal: { burn: { bad, all, ...body } },
    levels: {
      high: { id: "AR-499", severity: "sev2", op: ">", value, for: "0s", notify: ["ops"] },
    },
  };
}

const COUNTERS = Object.fromEntries(
  ["chance.bad_total", "chance.all_total"].map((name) => [
    name,
    { unit: "count", kind: "counter", source: "runtime", help: "By chance." },
  ]),
);

/** Silences of two days at most, of what there is. */
const silences = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom("quiet-a", "quiet-b"),
    day: whole(10, 28),
    hours: whole(1, 48),
    pages: fc.boolean(),
    label: text.filter((one) => one.length <= 20),
    rule: fc.constantFrom("queue-depth-high", "service-down"),
    reason: fc.string({ minLength: 10, maxLength: 20 }),
  }),
  { selector: ({ name }) => name },
);
type Silences = typeof silences extends fc.Arbitrary<infer T> ? T : never;

function rawSilences(chosen: Silences): object {
  const entries = chosen.map(({ name, day, hours, pages, label, rule: of, reason }) => {
    const starts = `2027-01-${day}T00:00:00Z`;
    const length = (pages ? Math.min(hours, 4) : hours) * 3_600_000;
    const ends = new Date(Date.parse(starts) + length).toISOString().replace(".000Z", "Z");
    const matchers = [
      printMatcher({ name: "rule", value: of, isRegex: false, isEqual: true }),
      printMatcher({ name: "shard", value: label, isRegex: false, isEqual: pages }),
    ];
    const owner = "example-operator";
    return [name, { starts, ends, owner, reason, matchers, silencesPages: pages }];
  });
  return Object.fromEntries(entries);
}

const monitoring = fc.record(
  {
    samples: fc.record({ seriesMax: whole(500, 9000) }, { requiredKeys: [] }),
    storm: fc.record({ perMinute: whole(5, 500), namedMax: whole(1, 100) }, { requiredKeys: [] }),
    incidents: fc.record(
      { openFor: fc.shuffledSubarray(["sev1", "sev2"]), postMortemWithin: duration },
      { requiredKeys: [] },
    ),
    queries: fc.record({ lines: whole(1, 10_000), slow: duration }, { requiredKeys: [] }),
    outlets: fc.record(
      {
        grafana: fc.record({ enabled: fc.boolean() }),
        datadog: fc.record({ enabled: fc.boolean() }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

const RULES_MAX = 5;
/** Which of the rules there are, what they say, and under which name. */
const rules = fc.uniqueArray(
  fc.record({ index: whole(0, RULES_MAX - 1), name: fc.constantFrom("a", "b", "c"), rule }),
  { selector: ({ index }) => index, maxLength: RULES_MAX },
);

/** The parser keeps names away that an object has by itself. */
const key = text.filter((one) => !(one in {}) && one !== "<<");

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    text,
    fc.boolean(),
    fc.constant(null),
    whole(-1000, 1000),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
}));

const parts = fc.record({
  rules,
  ...{ burn: maybe(burn), silences: maybe(silences), monitoring: maybe(monitoring) },
  receiver: fc.record(
    { perMinuteMax: whole(1, 600), triesMax: whole(1, 50), sendResolved: fc.boolean() },
    { requiredKeys: [] },
  ),
  helps: fc.array(text, { minLength: 3, maxLength: 3 }),
  concurrency: whole(1, 40),
  timeout: duration,
  rate: maybe(fc.record({ max: whole(1, 1000), per: duration })),
  retention: fc.record({
    events: whole(1, 3653),
    jobs: whole(1, 3653),
    audit: maybe(whole(365, 3650)),
  }),
  channel: fc.constantFrom("#ops", "#other-ops"),
  people: fc.uniqueArray(
    fc.record({
      ...{ at: whole(1, 4), name: text, role: fc.constantFrom("viewer", "operator") },
      teams: maybe(fc.uniqueArray(fc.constantFrom("platform", "database"))),
    }),
    {
      selector: ({ at }) => at,
    },
  ),
  schedules: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("x", "y", "z"),
      cron: fc.constantFrom("5 * * * *", "20 3 * * *", "0 4 * * 1"),
      payload: maybe(fc.dictionary(key, json.value, { maxKeys: 3 })),
    }),
    { selector: ({ name }) => name },
  ),
  guard: fc.record(
    {
      cooldownAfterFailure: duration,
      ...{ perTargetPerHourMax: whole(1, 60), targetsMax: whole(1, 100), fold: duration },
    },
    { requiredKeys: [] },
  ),
  trust: maybe(
    fc.record({
      level: fc.constantFrom("manual", "approve", "auto"),
      because: fc.string({ minLength: 10, maxLength: 20 }),
    }),
  ),
  limits: fc.record(
    {
      ...{ globalPerHourMax: whole(1, 600), breakerAfter: whole(1, 20), depthMax: whole(1, 5) },
      promotion: fc.record(
        { toAuto: fc.record({ days: whole(0, 365) }), demoteAfter: whole(1, 10) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  ),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }).map((share) => share + 0),
});
type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;

function vary(base: RawSet, chosen: Parts): RawSet {
  const { workers, retention, healing, routes, access } = base;
  const added = chosen.rules.map(({ index, name, rule }) => [
    `chance-${name}-${index}`,
    rawRule(rule, index),
  ]);
  const metrics = Array.from({ length: RULES_MAX }, (_, index) => [
    `chance.metric_${index}`,
    {
      ...{ unit: "count", kind: "gauge", labels: ["shard"], source: "runtime" },
      help: chosen.helps[index % 3],
      ...(chosen.rules.every((one) => one.index !== index) && { unwatched: "by chance" }),
    },
  ]);
  const people = chosen.people.map(({ at, name, role, teams }) => [
    `chance-${at}`,
    // Two people have two names.
    defined({ name: `${name}${at}`, role, github: `chance-${at}`, teams }),
  ]);
  const automation = Object.entries(base.automation).map(([name, entry]) => [
    name,
    defined({ ...entry, guard: { ...entry.guard, ...chosen.guard }, trust: chosen.trust }),
  ]);
  const schedules = chosen.schedules.map(({ name, cron, payload }) => [
    `chance-${name}`,
    defined({ cron, kind: "sync", payload }),
  ]);
  const burning = chosen.burn && { "chance-burn": rawBurn(chosen.burn) };
  return defined({
    ...base,
    metrics: { ...base.metrics, ...Object.fromEntries(metrics), ...(burning && COUNTERS) },
    alerts: { ...base.alerts, ...Object.fromEntries(added), ...burning },
    silences: chosen.silences && rawSilences(chosen.silences),
    monitoring: chosen.monitoring,
    workers: {
      ...workers,
      sync: defined({
        ...workers.sync,
        ...{ concurrency: chosen.concurrency, timeout: chosen.timeout, rateLimit: chosen.rate },
      }),
    },
    automation: Object.fromEntries(automation),
    healing: {
      ...healing,
      backoff: { ...healing.backoff, jitter: chosen.jitter },
      automation: chosen.limits,
    },
    retention: defined({
      ...retention,
      events_retention_days: chosen.retention.events,
      jobs_retention_days: chosen.retention.jobs,
      audit_retention_days: chosen.retention.audit,
    }),
    schedules: { ...base.schedules, ...Object.fromEntries(schedules) },
    routes: {
      ...routes,
      receivers: {
        ...routes.receivers,
        chance: { kind: "slack", channel: chosen.channel, ...chosen.receiver },
        mail: { kind: "email", to: ["ops@example.com"], ...chosen.receiver },
      },
    },
    access: { ...access, people: { ...access.people, ...Object.fromEntries(people) } },
    // Built of parts that the schemas know; the tests load it, so a mistake shows.
  }) as unknown as RawSet;
}

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T;
}

/** @param base a valid set to begin with: the shipped one */
export function arbitraryRawSet(base: RawSet): fc.Arbitrary<RawSet> {
  return parts.map((chosen) => vary(base, chosen));
}
