// 5,000 rules fire in one minute: how much each receiver hears, whether every alert is said, and how late the pages are.
//
//   node bench/alerts/storm.mjs                       5,000 rules, 20 of them pages
//   node bench/alerts/storm.mjs --rules 20000
//   node bench/alerts/storm.mjs --slack 3             three times as long, on a machine that has other things to do
//
// Bars: messages to a receiver within the minute ≤ its bucket + digests; alerts told + alerts in digests = alerts that
// fired; a page is sent within 5 s of firing; the transaction that speaks takes less than 2 s.
// Build first: node scripts/build.mjs. Ends with 1 when a bar is not met.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileRule } from "../../dist/src/alert/compile.js";
import { stepRule } from "../../dist/src/alert/evaluate.js";
import { systemClock } from "../../dist/src/base/clock.js";
import { silentLogger } from "../../dist/src/base/log.js";
import { createRegistry } from "../../dist/src/main/kinds.js";
import { createNoticeHandler } from "../../dist/src/runtime/handler/notice.js";
import { loadDirectory, readPolicyDirectory } from "../../dist/src/runtime/policy-source.js";
import { createSpeak } from "../../dist/src/runtime/speak.js";
import { createWorker } from "../../dist/src/runtime/worker.js";
import { appendAlertEvents } from "../../dist/src/store/alerts.js";
import { withDatabase } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    rules: { type: "string", default: "5000" },
    pages: { type: "string", default: "20" },
    slack: { type: "string", default: "1" },
  },
});
const [RULES, PAGES] = [Number(options.rules), Number(options.pages)];
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const EVERY_MS = 15_000;
const SLACK = Number(options.slack);
const BARS = { transactionMs: 2_000 * SLACK, pageMs: 5_000 * SLACK };
/** What a receiver takes to answer. */
const ANSWER_MS = 100;

const loaded = loadDirectory(
  await readPolicyDirectory("policies", { cwd: ROOT, packageRoot: ROOT }),
  "production",
);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const shipped = loaded.value;

function makeRule(number) {
  const isPage = number < PAGES;
  const level = {
    ...{ id: `AR-S${number}`, name: "Storm", op: ">", value: 10, forMs: 0, mOf: null },
    ...{ severity: isPage ? "sev1" : number % 2 ? "sev2" : "sev3", recover: null, runbook: null },
    notify: isPage ? ["pagerduty", "ops"] : ["ops"],
  };
  return {
    ...{ name: `storm-${number}`, summary: "Something burns.", everyMs: EVERY_MS },
    signal: { form: "last", of: { metric: "algobrain.jobs.pending", where: {} } },
    ...{ combine: "sum", by: [], levels: [level], noData: { afterMs: 120_000, then: "hold" } },
    ...{ cooldownMs: 0, groupBy: null, inhibitedBy: [] },
    ...{ groupWaitMs: 0, groupIntervalMs: 300_000, repeatMs: 14_400_000 },
  };
}

const alerts = Array.from({ length: RULES }, (_, n) => makeRule(n));
const receiver = (name, of) => ({
  ...{ name, perMinuteMax: 20, triesMax: null, sendResolved: true },
  ...of,
});
const receivers = {
  ops: receiver("ops", { kind: "slack", channel: "#ops" }),
  pagerduty: receiver("pagerduty", { kind: "pagerduty" }),
};
const policy = { ...shipped, alerts, routes: { ...shipped.routes, receivers } };
const compiled = alerts.map((rule) => compileRule(rule, policy.metrics));

let failed = false;
function bar(text, isMet) {
  failed ||= !isMet;
  console.log(`${isMet ? "ok    " : "MISSED"} ${text}`);
}

/** One tick: these rules are over, the others are not. Answers how long the transaction took, ms. */
async function tick(db, states, isOver, now) {
  const transitions = [];
  const after = new Map();
  for (const [n, rule] of compiled.entries()) {
    const { name } = alerts[n];
    const readings = [{ instance: "all", labels: {}, value: isOver(n) ? 20 : 1 }];
    const step = stepRule({ rule, state: states.get(name) ?? {}, readings, now });
    after.set(name, step.state);
    transitions.push(...step.transitions);
  }
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const spoken = await db.transaction(async (tx) => {
    const done = await speak(tx, { policy, states: after, transitions, removed: [], now });
    await appendAlertEvents(tx, transitions);
    return done;
  });
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  const share = `${((user + system) / 1_000).toFixed(0)} ms of this process's processor`;
  console.log(`       ${transitions.length} transitions: ${ms.toFixed(0)} ms, ${share}`);
  for (const [name, state] of spoken.states) states.set(name, state);
  return ms;
}
const speak = createSpeak();

/** Everything of ours in the tables goes: each storm begins with full buckets. */
const clean = (db) =>
  db.query(
    `TRUNCATE control.alert_group, control.receiver_lane, control.digest_entry, control.notice,
       control.alert_event, public.jobs CASCADE`,
  );

async function countSaid(db) {
  const { rows } = await db.query(
    `SELECT receiver, (severity = 'sev1') AS critical, count(*) FILTER (WHERE reason = 'digest')::int AS digests,
       count(*) FILTER (WHERE reason <> 'digest')::int AS alone,
       coalesce(sum(alerts) FILTER (WHERE reason = 'digest'), 0)::int AS folded
     FROM control.notice GROUP BY 1, 2 ORDER BY 1, 2`,
  );
  return rows;
}

async function judge(db, digestsMax) {
  const said = await countSaid(db);
  console.table(said);
  for (const { receiver: name, critical, digests, alone } of said)
    bar(
      `${name}, ${critical ? "pages" : "the rest"}: ${alone} alone ≤ bucket of 20, ${digests} digests ≤ ${digestsMax}`,
      alone <= 20 && digests <= digestsMax,
    );
  const ops = said.filter((row) => row.receiver === "ops");
  const all = ops.reduce((sum, { alone, folded }) => sum + alone + folded, 0);
  bar(`every alert is said to ops: ${all} of ${RULES}`, all === RULES);
  const { rows } = await db.query(
    `SELECT count(DISTINCT group_key)::int AS named FROM control.digest_entry
     WHERE receiver = 'ops' AND notice_id IS NOT NULL`,
  );
  const alone = ops.reduce((sum, row) => sum + row.alone, 0);
  bar(`each stands in a digest by name: ${rows[0].named}`, rows[0].named === RULES - alone);
}

/** The sender as it ships, with receivers that take a moment to answer. */
function startSender(db, url) {
  const notifier = (kind) => ({
    kind,
    deliver: () =>
      new Promise((resolve) => setTimeout(() => resolve({ reference: null }), ANSWER_MS)),
  });
  const notifiers = new Map(["slack", "pagerduty"].map((kind) => [kind, notifier(kind)]));
  const handler = createNoticeHandler({
    ...{ db, policy: () => policy, notifiers, random: Math.random },
  });
  const unused = createRegistry();
  return createWorker({
    ...{ db, databaseUrl: url, databaseSsl: false, registry: unused, handlers: [handler] },
    ...{ policy: () => policy, lane: "internal", kinds: null, globalCap: 100, pollMaxMs: 1_000 },
    ...{ drainMs: 1_000, parentPid: null, clock: systemClock, log: silentLogger, emit: () => {} },
    ...{ random: Math.random, redact: (text) => text, notify: async () => {} },
    onFatal: (why) => {
      throw new Error(why);
    },
  });
}

/** Milliseconds from firing to the answer of the receiver, of each page. */
async function waitForPages(db, firedAt) {
  for (const until = Date.now() + 30_000; Date.now() < until; ) {
    const { rows } = await db.query(
      "SELECT sent_at FROM control.notice WHERE severity = 'sev1' ORDER BY sent_at",
    );
    if (rows.every(({ sent_at: at }) => at !== null))
      return rows.map(({ sent_at: at }) => at.getTime() - firedAt);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("pages were not sent within 30 s");
}

await withDatabase(async (db, url) => {
  console.log(`\n${RULES} rules in one tick, ${PAGES} of them pages`);
  const worker = startSender(db, url);
  await worker.start();
  const firedAt = Date.now();
  const ms = await tick(db, new Map(), () => true, new Date(firedAt));
  const late = await waitForPages(db, firedAt);
  await worker.stop(1_000);
  bar(`the transaction took ${ms.toFixed(0)} ms < ${BARS.transactionMs}`, ms < BARS.transactionMs);
  const worst = Math.max(...late);
  bar(
    `${late.length} pages were sent, the last ${worst} ms after it fired < ${BARS.pageMs}`,
    worst < BARS.pageMs,
  );
  await judge(db, 1);

  console.log("\nthe same, a quarter at each of four ticks");
  await clean(db);
  const states = new Map();
  const start = Math.ceil(Date.now() / EVERY_MS) * EVERY_MS;
  const took = [];
  for (let n = 0; n < 6; n++) {
    const isOver = (rule) => rule % 4 <= n;
    took.push(await tick(db, states, isOver, new Date(start + n * EVERY_MS)));
  }
  bar(
    `the longest transaction took ${Math.max(...took).toFixed(0)} ms`,
    Math.max(...took) < BARS.transactionMs,
  );
  await judge(db, 2);
});
process.exit(failed ? 1 : 0);
