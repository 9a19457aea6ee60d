// Proves on this machine that a storm of PagerDuty deliveries starts one run an incident: signed deliveries, three of
// ten for the second time and all out of order, against the whole product in processes of its own. Counts by the rows
// what was lost or doubled, and prints how long it took from the webhook to the first step of a run that acts.
//
//   npm run build && node bench/proof/pagerduty-load.mjs                5,000 deliveries at 50 a second, 500 incidents, twice
//   node bench/proof/pagerduty-load.mjs --deliveries 400 --targets own  smaller, and one of the two ways
//
// --targets own: each incident is about a job of its own, which its run runs again, so that exactly one run an
// incident is right. --targets same: all incidents are about everything, and one that comes while a run is at work
// joins it, so that one run of its own or one that it joined is right.
//
// Ends with 1 when anything was lost or doubled, an incident has no run or two, a run did not succeed, or p99 to the
// first step is 2 s or more.
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { systemClock } from "../../dist/src/base/clock.js";
import { hmacSha256 } from "../../dist/src/base/secret.js";
import { count, quantile, serveProduct, until, wholeNumber, withProduct } from "./product.mjs";

const P99_MAX_MS = 2_000;
const SETTLE_MAX_MS = 600_000;
const ANSWER_MAX_MS = 5_000;
const TRIES_MAX = 5;
/** Of each incident: what PagerDuty says of it, the first by two subscriptions. */
const KINDS = [
  ...["triggered", "triggered", "acknowledged", "annotated", "escalated", "reassigned"],
  "priority_updated",
].map((kind) => `incident.${kind}`);
/** What runs a job again locks it; what only looks locks nothing, and so is about everything. */
const RUNBOOKS = { own: "rerun-job", same: "inspect-job" };

/** One automation, which starts a runbook for the incident's own job; and the door may start it. */
function changePolicy(policy) {
  const runbook = RUNBOOKS[process.env.LOAD_TARGETS];
  const automation = {
    ...{ name: "load", when: { on: "incident", titleIncludes: "LOAD", dedupKeyPrefix: null } },
    ...{ runbook, params: { job: ["$", "{incident.key}"].join("") } },
    guard: {
      ...{ cooldownMs: 0, cooldownAfterFailureMs: 0, perHourMax: 100_000, targetsMax: 1 },
      ...{ foldMs: 0, perTargetPerHourMax: 100_000 },
    },
    trust: { level: "auto", because: "a proof of the load" },
  };
  const byItself = policy.access.rules.find((rule) => rule.runbook === "respond-queue-backlog");
  return {
    ...policy,
    ...{ schedules: [], automation: [automation] },
    access: { ...policy.access, rules: [{ ...byItself, runbook }, ...policy.access.rules] },
    healing: {
      ...policy.healing,
      automation: { ...policy.healing.automation, globalPerHourMax: 100_000 },
    },
  };
}

/**
 * Deliveries a second: 1,500 a minute. Of one service PagerDuty takes a few hundred events a minute before it answers
 * 429, so its webhooks come no faster; `--rate` asks for more.
 */
const RATE = "25";

function readOptions() {
  const { values } = parseArgs({
    options: {
      deliveries: { type: "string", default: "5000" },
      rate: { type: "string", default: RATE },
      targets: { type: "string", default: "own,same" },
      keep: { type: "boolean", default: false },
    },
  });
  const ways = values.targets.split(",");
  const wrong = ways.find((way) => !Object.hasOwn(RUNBOOKS, way));
  if (wrong !== undefined) throw new Error(`--targets: found "${wrong}", expected own or same`);
  const deliveries = wholeNumber(values.deliveries);
  const incidents = Math.max(1, Math.floor((deliveries * 0.7) / KINDS.length));
  const perSecond = wholeNumber(values.rate);
  return { ways, deliveries, incidents, perSecond, keep: values.keep };
}

async function main() {
  const { ways, keep, ...options } = readOptions();
  const file = fileURLToPath(import.meta.url);
  for (const targets of ways) {
    const secret = randomBytes(16).toString("hex");
    const more = { PAGERDUTY_WEBHOOK_SECRET: secret, LOAD_TARGETS: targets };
    const isMet = await withProduct({ file, keep, more }, async ({ db, url }) => {
      const queue = await makeDeliveries(db, options);
      const took = await storm(`${url}/webhooks/pagerduty`, secret, queue, options);
      return report(took, await settle(db), { ...options, targets });
    });
    if (!isMet) process.exitCode = 1;
  }
}

/** All events of all incidents, some of them twice, in an order of their own that is the same each time. */
async function makeDeliveries(db, { deliveries, incidents }) {
  const { rows } = await db.query(
    `INSERT INTO jobs (job_type, payload, status, completed_at)
     SELECT 'export', '{"entity": "events"}', 'cancelled', now() FROM generate_series(1, $1::int) RETURNING id`,
    [incidents],
  );
  const events = rows.flatMap(({ id }, n) =>
    KINDS.map((kind, at) => ({
      webhookId: `load-${n}-${at}`,
      event: {
        // The first two are one event.
        ...{ id: `event-${n}-${Math.max(1, at)}`, event_type: kind, resource_type: "incident" },
        data: { id: `QLOAD${n}`, title: "LOAD of the proof", incident_key: id },
      },
    })),
  );
  const again = Array.from(
    { length: deliveries - events.length },
    (_, at) => events[at % events.length],
  );
  return shuffle([...events, ...again]);
}

/** By a linear congruential generator, so that a failure comes again. */
function shuffle(items) {
  let state = 7;
  for (let at = items.length - 1; at > 0; at--) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const other = state % (at + 1);
    [items[at], items[other]] = [items[other], items[at]];
  }
  return items;
}

async function storm(url, secret, queue, { perSecond }) {
  return Promise.all(
    queue.map(async (delivery, at) => {
      await systemClock.sleep((at * 1_000) / perSecond);
      return deliver(url, secret, delivery);
    }),
  );
}

/** What is not answered within five seconds, or with 5xx or 429, PagerDuty delivers again. */
async function deliver(url, secret, { webhookId, event }) {
  const body = JSON.stringify({ event });
  const headers = {
    "content-type": "application/json",
    "x-webhook-id": webhookId,
    "x-pagerduty-signature": `v1=${hmacSha256(secret, body).toString("hex")}`,
  };
  const startedMs = performance.now();
  const refusals = [];
  for (let tries = 1; ; tries++) {
    const status = await post(url, { method: "POST", body, headers });
    const isOver = (status >= 200 && status < 500 && status !== 429) || tries === TRIES_MAX;
    if (isOver) return { status, refusals, tookMs: performance.now() - startedMs };
    refusals.push(status);
    await systemClock.sleep(1_000 * tries);
  }
}

/** The status; 0 when there was no answer in time. */
async function post(url, init) {
  try {
    const reply = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MAX_MS) });
    await reply.arrayBuffer();
    return reply.status;
  } catch {
    // No answer is an answer here: it is counted, and delivered again.
    return 0;
  }
}

async function settle(db) {
  const open = async () =>
    (await count(db, "control.inbound WHERE status = 'received'")) +
    (await count(db, "control.run WHERE ended_at IS NULL"));
  const isOver = async () => (await open()) === 0;
  await until("every event is settled and every run has ended", isOver, SETTLE_MAX_MS);
  const covered = await db.query(
    `SELECT (SELECT count(*)::int FROM control.run AS run WHERE run.incident_id = incident) AS runs,
       (SELECT count(*)::int FROM control.run_follower AS one WHERE one.incident_id = incident) AS joined
     FROM (SELECT DISTINCT body->>'incidentId' AS incident FROM control.inbound) AS seen`,
  );
  const steps = await db.query(
    `SELECT (extract(epoch FROM min(step.started_at) - inbound.received_at) * 1000)::float8 AS ms
     FROM control.run AS run JOIN control.inbound AS inbound ON inbound.id = run.inbound_id
       JOIN control.run_step AS step ON step.run_seq = run.seq AND step.phase = 'act'
     GROUP BY run.seq, inbound.received_at`,
  );
  return {
    ...{ covered: covered.rows, steps: steps.rows.map(({ ms }) => ms) },
    kept: await count(db, "control.inbound"),
    unsuccessful: await count(db, "control.run WHERE status <> 'succeeded'"),
  };
}

function report(took, found, { targets, deliveries, incidents, perSecond }) {
  const { covered, steps, kept, unsuccessful } = found;
  const refused = took.filter(({ status }) => status !== 202).length;
  const again = took.flatMap(({ refusals }) => refusals);
  const why = [...new Set(again)].map((status) => `${status || "silence"}`).join(", ");
  const [runs, joined] = ["runs", "joined"].map((what) =>
    covered.reduce((sum, one) => sum + one[what], 0),
  );
  const twice = covered.filter((one) => one.runs + one.joined > 1).length;
  const without = incidents - covered.filter((one) => one.runs + one.joined > 0).length;
  const lost = incidents * KINDS.length - kept;
  const acks = took.map(({ tookMs }) => tookMs);
  const p99 = quantile(steps, 0.99);
  console.log(
    `targets ${targets}: ${deliveries} deliveries of ${incidents} incidents at ${perSecond}/s: ` +
      `refused ${refused} delivered again ${again.length}${why && ` after ${why}`} lost ${lost}; ` +
      `runs ${runs} joined ${joined} incidents without ${without} with two ${twice} runs not succeeded ${unsuccessful}; ` +
      `ack p99 ${quantile(acks, 0.99).toFixed(0)} ms; webhook to first step ` +
      `p50 ${quantile(steps, 0.5).toFixed(0)} ms p99 ${p99.toFixed(0)} ms`,
  );
  const isOneEach = without === 0 && twice === 0 && (targets === "same" || runs === incidents);
  const isClean = refused === 0 && lost === 0 && unsuccessful === 0;
  return isClean && isOneEach && p99 < P99_MAX_MS;
}

await (process.argv[2] === "serve" ? serveProduct(changePolicy) : main());
