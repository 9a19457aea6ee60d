// The simulation's few seeds with real processes and a real server: SIGKILL, SIGSTOP past the lease, restarts of
// PostgreSQL and the handbook's SQL, in an order and at times drawn from the seed.
//
//   node bench/proof/storm.mjs --seed 1 --seeds 14
import { parseArgs } from "node:util";
import { systemClock } from "../../dist/src/base/clock.js";
import { enqueueJobs } from "../../dist/src/store/jobs.js";
import { readJournals } from "./journal.mjs";
import { kill, withScene } from "./scene.mjs";

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, seeds: { type: "string", default: "1" } },
});
const MAINS = 2;
const WORKERS = 1;
const LEASE_MS = 1_500;
const JOBS = 250;
const STORM_MS = 3_500;
const EVENTS = 7;
const CALM_MAX_MS = 60_000;
/** HB-sql-05 and -10, letter by letter but for the number. */
const BY_HAND = {
  reset:
    "UPDATE jobs\nSET status = 'pending', attempts = 0, error = NULL, scheduled_at = NOW()\nWHERE id = 'job-123';",
  cancel:
    "UPDATE jobs\nSET status = 'cancelled', error = 'Manually cancelled by operator'\nWHERE id = 'job-789';",
};

/** mulberry32, as in test/simulation. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function writeScript(seed) {
  const random = seeded(seed);
  const restart = { what: "restart", signal: random() < 0.5 ? "SIGINT" : "SIGKILL" };
  const events = [restart, ...Array.from({ length: EVENTS }, () => drawEvent(random))].map(
    (event) => ({
      ...event,
      atMs: Math.floor(random() * STORM_MS),
    }),
  );
  return {
    events: events.sort((a, b) => a.atMs - b.atMs),
    jobs: Array.from({ length: JOBS }, () => 20 + Math.floor(random() * 181)),
  };
}

function drawEvent(random) {
  const sort = random() < 0.2 ? "main" : "general-worker";
  const dice = random();
  if (dice < 0.35) return { what: "kill", sort, which: random() };
  if (dice < 0.65)
    return { what: "freeze", sort, which: random(), ms: Math.floor((1 + random()) * LEASE_MS) };
  return { what: dice < 0.85 ? "reset" : "cancel", which: random() };
}

/** `seqs`: of the jobs of this seed. */
async function happen(scene, event, seqs) {
  if (event.what === "restart") return scene.restartServer(event.signal);
  if (event.what in BY_HAND) {
    const seq = seqs[Math.floor(event.which * seqs.length)];
    return scene.ask(BY_HAND[event.what].replace(/job-\d+/, `job-${seq}`));
  }
  const victim = await scene.find(event.sort, event.which);
  if (victim === null) return;
  kill(victim.pid, event.what === "kill" ? "SIGKILL" : "SIGSTOP");
  if (event.what === "kill") return;
  await systemClock.sleep(event.ms);
  kill(victim.pid, "SIGCONT");
}

/** The installation goes on from seed to seed. Answers with the numbers of the jobs. */
async function play(scene, { events, jobs }) {
  await scene.untilAlive(MAINS * WORKERS);
  const wanted = jobs.map((ms) => ({ kind: "proof", payload: { ms } }));
  const seqs = (await enqueueJobs(scene.db, wanted)).map(({ seq }) => seq);
  const acts = [];
  const fromMs = performance.now();
  for (const event of events) {
    await systemClock.sleep(fromMs + event.atMs - performance.now());
    acts.push(happen(scene, event, seqs));
  }
  await Promise.all(acts);
  const byMs = performance.now() + CALM_MAX_MS;
  for (;;) {
    const open = await scene.ask(
      "SELECT id, status, worker_id FROM jobs WHERE seq = ANY ($1) AND status IN ('pending', 'running')",
      [seqs],
    );
    if (open.length === 0) return seqs;
    if (performance.now() > byMs) throw new Error(`not final: ${JSON.stringify(open.slice(0, 5))}`);
    await systemClock.sleep(100);
  }
}

/** What is wrong, one sentence each. */
async function judge(scene, seqs) {
  const rows = await scene.ask(
    `SELECT seq, id, status, error, (result->>'fence')::bigint AS fence,
       (SELECT count(*)::int FROM audit_log WHERE target = jobs.id AND action = 'job.changed-by-sql') AS by_hand
     FROM jobs WHERE seq = ANY ($1)`,
    [seqs],
  );
  const runs = readJournals(scene.journals);
  const wrong = rows.length === JOBS ? [] : [`${JOBS - rows.length} jobs are lost`];
  for (const { seq, id, status, error, fence, by_hand } of rows) {
    const cancelled = status === "cancelled" && by_hand > 0;
    if (status !== "completed" && !cancelled) wrong.push(`${id} is ${status}: ${error}`);
    const fences = (runs.get(seq) ?? []).map((run) => run.fence);
    if (new Set(fences).size < fences.length) wrong.push(`${id} was started twice for one claim`);
    if (status !== "completed") continue;
    const run = runs.get(seq)?.find((one) => one.fence === fence);
    if (!run?.ended) wrong.push(`${id} is completed, but its handler had not ended`);
  }
  return wrong;
}

async function playSeed(scene, seed) {
  const script = writeScript(seed);
  const startedMs = performance.now();
  const wrong = await play(scene, script).then(
    (seqs) => judge(scene, seqs),
    (error) => [error.message],
  );
  const tookMs = Math.round(performance.now() - startedMs);
  console.log(`seed ${seed}: ${wrong.slice(0, 10).join("; ") || "ok"} (${tookMs} ms)`);
  if (wrong.length === 0) return true;
  for (const { atMs, ...event } of script.events)
    console.log(`  ${atMs} ms ${JSON.stringify(event)}`);
  console.log(`play it again: node bench/proof/storm.mjs --seed ${seed}`);
  return false;
}

const fine = await withScene(false, async (scene) => {
  const settings = {
    workers: WORKERS,
    concurrency: 10,
    workerDeadAfterMs: LEASE_MS,
    internal: false,
  };
  for (let n = 1; n <= MAINS; n++) scene.startMain(`main-${n}`, settings);
  let all = true;
  for (let n = 0; n < Number(values.seeds); n++) {
    all = (await playSeed(scene, Number(values.seed) + n)) && all;
  }
  return all;
});
process.exit(fine ? 0 : 1);
