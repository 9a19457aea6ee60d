// A million old rows go while a worker drains the queue as fast as it can. Says how much of its idle rate the worker
// keeps, and whether exactly the previewed rows went. The two rates are of turns: gc works for some seconds and is
// held for as long, so that what else the machine does falls on both.
//
//   npm run build && node bench/proof/workers/gc.mjs                  half a million jobs with an attempt each, as many events
//   node bench/proof/workers/gc.mjs --rows 100000                     fewer
//
// Ends with 1 when the worker keeps less than 0.8 of its rate, when other rows go than were previewed, or when fewer
// than ten times the rows a minute go that HB-wrk-07 asks for.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Type } from "typebox";
import { systemClock } from "../../../dist/src/base/clock.js";
import { silentLogger } from "../../../dist/src/base/log.js";
import { KindRegistry } from "../../../dist/src/job/kinds.js";
import { createGcHandler } from "../../../dist/src/runtime/handler/gc.js";
import { createWorker } from "../../../dist/src/runtime/worker.js";
import { openDatabase } from "../../../dist/src/store/database.js";
import { withScene } from "../scene.mjs";

const KEPT_BAR = 0.8;
const ROWS_A_MINUTE_BAR = 10_000;
const KIND = "noop";
const TURN_MS = 2_500;
/** Then the worker ends, and gc goes on alone. */
const TURNS = 9;
/** After gc is let go or held: a statement of its is still under way. */
const SETTLE_MS = 400;
/** More than two turns take on a quiet machine (40,000 a second): who has nothing to do is not slowed by anybody. */
const BACKLOG = 320_000;
const BACKLOG_LEAST = 300_000;
const YOUNG = 20_000;
const HOUR_MS = 3_600_000;

async function main() {
  const { values } = parseArgs({ options: { rows: { type: "string", default: "1000000" } } });
  const half = Math.floor(Number(values.rows) / 2);
  const isMet = await withScene(false, async (scene) => {
    await fill(scene.db, half);
    const gc = gcIn(scene);
    const preview = await gc.run(1, { dry_run: true });
    const drain = await startDrain(scene);
    const worked = await inTurns(drain, gc);
    return judge({ preview, ...worked, left: await readLeft(scene.db) }, half);
  });
  process.exitCode = isMet ? 0 : 1;
}

async function fill(db, half) {
  await db.connect(async (session) => {
    await session.query("SET statement_timeout = 0");
    await session.query(
      `INSERT INTO jobs (job_type, status, completed_at, created_at, result)
         SELECT 'index', 'completed', at, at, '{"repos": 12}'
         FROM (SELECT now() - interval '200 days' - n * interval '1 s' AS at FROM generate_series(1, ${half}) n) old;
       INSERT INTO control.job_attempt (job_seq, fence, attempt, worker_id, started_at)
         SELECT seq, 1, 1, 'general-worker-1', created_at FROM jobs;
       INSERT INTO events (event_type, payload, created_at)
         SELECT 'push', jsonb_build_object('n', n), now() - interval '100 days' - n * interval '1 s' FROM generate_series(1, ${half}) n;
       INSERT INTO jobs (job_type, status, completed_at) SELECT 'index', 'completed', now() FROM generate_series(1, ${YOUNG});
       INSERT INTO events (event_type) SELECT 'push' FROM generate_series(1, ${YOUNG})`,
    );
    await addBacklog(session, BACKLOG);
    await session.query("VACUUM ANALYZE");
  });
}

const addBacklog = (sql, count) =>
  sql.query(
    `INSERT INTO jobs (job_type, payload) SELECT '${KIND}', '{}' FROM generate_series(1, ${count})`,
  );

async function readLeft(db) {
  const { rows } = await db.query(
    `SELECT (SELECT count(*) FROM jobs WHERE job_type = 'index') AS jobs, (SELECT count(*) FROM events) AS events,
       (SELECT count(*) FROM control.job_attempt a WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.seq = a.job_seq)) AS orphans`,
  );
  return rows[0];
}

/** The handler as a worker calls it, but that it can be held between two batches. */
function gcIn(scene) {
  const gate = { open: true };
  const clock = {
    now: () => systemClock.now(),
    sleep: async (ms, signal) => {
      await systemClock.sleep(ms, signal);
      while (!gate.open) await systemClock.sleep(20, signal);
    },
  };
  const days = { events: 90, jobs: 180, healdecLogs: 365, quarantinedJobs: 30, samples: 30 };
  const retention = Object.fromEntries(Object.entries(days).map(([name, n]) => [`${name}Days`, n]));
  const policy = () => ({
    retention: { ...retention, logsDays: 30, exportsDays: 30 },
    adoption: { retentionMargin: 0.1 },
  });
  const handler = createGcHandler({
    db: scene.db,
    clock,
    policy,
    exportsDir: join(scene.home, "exports"),
  });
  let share = 0;
  const progress = (reached) => {
    share = reached;
  };
  const run = (seq, payload) => handler.run({ ...contextOf(seq, payload), progress });
  return { gate, run, share: () => share };
}

function contextOf(seq, payload) {
  const { signal } = new AbortController();
  const job = {
    seq,
    id: `job-${seq}`,
    kind: "gc",
    payload,
    attempt: 1,
    fence: 1,
    createdAt: new Date(),
  };
  return { job, signal, log: silentLogger, now: () => new Date() };
}

async function inTurns(drain, gc) {
  let went = null;
  gc.gate.open = false;
  const working = gc.run(2, { preview: "job-1" }).then((done) => {
    went = done;
  });
  const turns = [];
  while (went === null && turns.length < TURNS) {
    const held = await drain.rate(TURN_MS);
    gc.gate.open = true;
    await systemClock.sleep(SETTLE_MS);
    const beside = await drain.rate(TURN_MS);
    if (went === null) turns.push({ held, beside });
    gc.gate.open = false;
    await systemClock.sleep(SETTLE_MS);
    await drain.feed();
  }
  await drain.end();
  const fromMs = performance.now();
  const share = 1 - gc.share();
  gc.gate.open = true;
  await working;
  return { went, turns, alone: { share, ms: performance.now() - fromMs } };
}

/** A worker process that does nothing else; it is told to say how many jobs it has run. */
async function startDrain(scene) {
  const env = { ...process.env, DATABASE_URL: scene.url, ALGOBRAIN_HOME: scene.home };
  const child = fork(fileURLToPath(import.meta.url), ["drain"], { env });
  const ran = async () => {
    child.send("ran");
    const [count] = await once(child, "message");
    return count;
  };
  await ran();
  return {
    /** Jobs a second, over so many milliseconds. */
    rate: async (ms) => {
      const [before, fromMs] = [await ran(), performance.now()];
      await systemClock.sleep(ms);
      const count = (await ran()) - before;
      return (count * 1_000) / (performance.now() - fromMs);
    },
    feed: async () => {
      const { rows } = await scene.db.query(
        `SELECT count(*) AS count FROM (SELECT FROM jobs WHERE status = 'pending' LIMIT ${BACKLOG_LEAST}) AS few`,
      );
      if (rows[0].count < BACKLOG_LEAST) await addBacklog(scene.db, BACKLOG - rows[0].count);
    },
    end: async () => {
      child.send("end");
      await once(child, "exit");
    },
  };
}

async function drainQueue() {
  const { DATABASE_URL: url, ALGOBRAIN_HOME: home } = process.env;
  const db = openDatabase({ url, poolMax: 10, applicationName: "proof-drain", ssl: false });
  let ran = 0;
  const handler = { kind: KIND, run: async () => void ran++ };
  const kind = {
    kind: KIND,
    enabled: true,
    concurrency: 24,
    priority: 5,
    timeoutMs: HOUR_MS,
    attemptsMax: 5,
  };
  const strategies = {
    transient: "retry",
    crash: "restart",
    data: "quarantine",
    partial: "rollback",
    critical: "escalate",
  };
  const backoff = { baseMs: 1_000, capMs: 300_000, jitter: 0.1 };
  const rules = {
    workers: { [KIND]: { ...kind, globalMax: null, rateLimit: null } },
    healing: { enabled: true, backoff, strategies, crashMax: 3, workerDeadAfterMs: 5_000 },
  };
  const worker = createWorker({
    ...{
      db,
      databaseUrl: url,
      databaseSsl: false,
      evidenceDir: await mkdtemp(join(home, "evidence-")),
      parentPid: null,
    },
    registry: new KindRegistry([{ kind: KIND, lane: "general", payload: Type.Object({}) }]),
    ...{ handlers: [handler], policy: () => rules, lane: "general", kinds: null, globalCap: null },
    ...{ pollMaxMs: 1_000, drainMs: 10_000, clock: systemClock, log: silentLogger },
    ...{ emit: () => {}, random: Math.random, redact: (text) => text, notify: async () => {} },
    onFatal: () => process.exit(1),
  });
  await worker.start();
  process.on("message", (asked) => {
    if (asked === "ran") process.send(ran);
    else void worker.stop(0).then(() => process.exit(0));
  });
}

function judge({ preview, went, turns, alone, left }, half) {
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
  const kept = median(turns.map(({ held, beside }) => beside / held));
  const [held, beside] = ["held", "beside"].map((name) => median(turns.map((turn) => turn[name])));
  const rows = Object.values(went.rows).reduce((sum, count) => sum + count, 0);
  const perMinute = (rows * alone.share * 60_000) / alone.ms;
  const isEqual = JSON.stringify(went.rows) === JSON.stringify(preview.rows) && rows === 2 * half;
  const isYoungLeft = left.jobs === YOUNG && left.events === YOUNG && left.orphans === 0;
  console.log(
    `a worker alone ${held.toFixed(0)} jobs/s, beside gc ${beside.toFixed(0)} jobs/s: keeps ${kept.toFixed(2)} (${turns.length} turns; bar ${KEPT_BAR})`,
  );
  console.log(
    `gc: ${rows} rows, ${perMinute.toFixed(0)} a minute on an idle queue (bar ${ROWS_A_MINUTE_BAR})`,
  );
  console.log(
    `previewed = deleted: ${isEqual}; every young row left, nothing orphaned: ${isYoungLeft}`,
  );
  return kept >= KEPT_BAR && perMinute >= ROWS_A_MINUTE_BAR && isEqual && isYoungLeft;
}

await (process.argv[2] === "drain" ? drainQueue() : main());
