// Proves on this machine, with the real clock and the periods as they are shipped, that no run says "running" for a
// minute after its lease: an executor with runs inside a long step is killed with -9, first alone, so that its
// supervisor sees it, then with its supervisor and for good, as when a machine is lost. All times are the database's.
//
//   npm run build && node bench/proof/lease.mjs              5 runs: about a minute and a half
//
// Ends with 1 when a run of the first kill was not in the hands of another executor before its lease had ended, or when
// one of the second said "running" for 60 s or more after it.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readPublished } from "../../dist/src/main/policy.js";
import { loadRunbooks } from "../../dist/src/main/runbooks.js";
import { enqueueJob } from "../../dist/src/store/jobs.js";
import { submitRun } from "../../dist/src/store/submit-run.js";
import { count, serveProduct, until, untilAlive, wholeNumber, withPlace } from "./product.mjs";
import { kill } from "./scene.mjs";

const BAR_S = 60;
const GIVE_UP_MS = 180_000;
const LOOK_MS = 100;
const file = fileURLToPath(import.meta.url);

/** Inside a step that would last for a quarter of an hour. */
const AT_WORK = `control.run AS run WHERE run.runbook = 'rerun-job' AND run.status = 'running'
  AND run.lease_until > clock_timestamp()
  AND EXISTS (SELECT FROM control.run_step AS step
    WHERE step.run_seq = run.seq AND step.phase = 'verify' AND step.status = 'running')`;

async function main() {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      keep: { type: "boolean", default: false },
    },
  });
  const runs = wholeNumber(values.runs);
  const isMet = await withPlace(values.keep, async ({ db, start }) => {
    start(file, "orchestrator");
    const hasPolicy = async () => (await count(db, "control.policy_revision")) > 0;
    await until("a policy is in force", hasPolicy);
    const supervisor = start(file, "executor");
    await untilAlive(db, 1);
    await putToWork(db, runs);
    return [await killExecutor(db, runs), await killMachine(db, supervisor)].every(Boolean);
  });
  process.exitCode = isMet ? 0 : 1;
}

/** Reruns of jobs for which there is no worker: each follows its job. */
async function putToWork(db, runs) {
  const registry = await loadRunbooks();
  const { access } = (await readPublished(db)).set;
  const actor = { name: "cli:proof", role: "admin", door: "cli", person: null };
  for (let i = 0; i < runs; i++) {
    const job = await enqueueJob(db, { kind: "export", payload: { entity: "events" } });
    await db.query("UPDATE jobs SET status = 'failed' WHERE seq = $1", [job.seq]);
    const asked = { runbook: "rerun-job", params: { job: job.id }, dryRun: false, commit: null };
    const submitted = await submitRun(db, { registry, access, actor, ...asked });
    if (submitted.outcome !== "queued") throw new Error(JSON.stringify(submitted));
  }
  await untilAtWork(db, runs);
}

async function untilAtWork(db, runs) {
  const areAtWork = async () => (await count(db, AT_WORK)) === runs;
  await until(`${runs} runs are inside a long step`, areAtWork, GIVE_UP_MS, LOOK_MS);
}

async function readRuns(db) {
  const { rows } = await db.query(
    `SELECT id, status, fence, (extract(epoch FROM lease_until) * 1000)::float8 AS "leaseMs",
       (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs"
     FROM control.run WHERE runbook = 'rerun-job' ORDER BY seq`,
  );
  return rows;
}

async function executorPid(db) {
  const { rows } = await db.query(
    "SELECT pid FROM workers WHERE status = 'alive' AND id LIKE 'executor-%'",
  );
  if (rows.length !== 1) throw new Error(`found ${rows.length} executors, expected one`);
  return rows[0].pid;
}

/** Its supervisor sees it at once: another goes on with the runs, whose leases have not even ended. */
async function killExecutor(db, runs) {
  kill(await executorPid(db), "SIGKILL");
  const before = await readRuns(db);
  const waits = await follow(db, before, (was, is) =>
    is.status === "running" && is.fence > was.fence ? (is.nowMs - was.nowMs) / 1_000 : null,
  );
  const leftS = Math.min(...before.map(({ leaseMs, nowMs }) => (leaseMs - nowMs) / 1_000));
  say("executor killed, its supervisor lives: kill to another executor", waits);
  await untilAtWork(db, runs);
  return Math.max(...waits) < leftS;
}

/** Nobody is left who could go on: an orchestrator puts the runs back. */
async function killMachine(db, supervisor) {
  const pid = await executorPid(db);
  supervisor.kill("SIGKILL");
  kill(pid, "SIGKILL");
  // A beat that was on its way may still have come: the newest lease counts.
  const leases = new Map();
  const waits = await follow(db, await readRuns(db), (_was, is) => {
    if (is.status !== "running") return (is.nowMs - leases.get(is.id)) / 1_000;
    leases.set(is.id, is.leaseMs);
    return null;
  });
  say("executor and supervisor killed for good: end of lease to no longer running", waits);
  return Math.max(...waits) < BAR_S;
}

/** Looks again and again until `judge(was, is)` has a number of seconds for each run. */
async function follow(db, before, judge) {
  const waits = new Map();
  const isOver = async () => {
    for (const [i, is] of (await readRuns(db)).entries()) {
      const waitS = waits.has(is.id) ? null : judge(before[i], is);
      if (waitS !== null) waits.set(is.id, waitS);
    }
    return waits.size === before.length;
  };
  await until("every run is in other hands", isOver, GIVE_UP_MS, LOOK_MS);
  return [...waits.values()];
}

function say(what, seconds) {
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)];
  console.log(`${what} ${least.toFixed(1)} to ${most.toFixed(1)} s (${seconds.length} runs)`);
}

const withoutSchedules = (policy) => ({ ...policy, schedules: [] });

await (process.argv[2] === "serve" ? serveProduct(withoutSchedules) : main());
