// Proves on this machine that no job is lost: many jobs, a random process killed with -9 each second, the database
// restarted twice. Whatever happens, every job reaches a final state, none is set aside for a death that was not its
// fault, and no two handlers of one job ever run at once, by the journals that the handlers write themselves.
//
//   npm run proof                                            100,000 jobs, 120 kills: five minutes or so on two cores
//   npm run proof -- --jobs 5000 --kills 20 --workers 4      smaller
import { parseArgs } from "node:util";
import { systemClock } from "../../dist/src/base/clock.js";
import { enqueueJobs } from "../../dist/src/store/jobs.js";
import { findOverlaps, readJournals } from "./journal.mjs";
import { kill, withScene } from "./scene.mjs";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "100000" },
    kills: { type: "string", default: "120" },
    workers: { type: "string", default: "4" },
    concurrency: { type: "string", default: "20" },
    restarts: { type: "string", default: "2" },
    keep: { type: "boolean", default: false },
  },
});
const [JOBS, KILLS, WORKERS, CONCURRENCY, RESTARTS] = [
  ...[values.jobs, values.kills, values.workers, values.concurrency, values.restarts],
].map((text) => {
  if (!/^\d{1,7}$/.test(text)) throw new Error(`found "${text}", expected a whole number`);
  return Number(text);
});
/** Two orchestrators: one leads, and either may die. */
const MAINS = 2;
const BATCH = 5_000;
const KILL_EVERY_MS = 1_000;
const SAY_EVERY_MS = 5_000;
const STALL_MAX_MS = 120_000;

const startedMs = performance.now();
const say = (text) =>
  console.log(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6)} s  ${text}`);

async function enqueueAll(scene) {
  for (let done = 0; done < JOBS; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, JOBS - done) }, () => ({
      ...{ kind: "proof", payload: { ms: 20 + Math.floor(Math.random() * 181) } },
    }));
    await enqueueJobs(scene.db, batch);
  }
}

/** One kill a second, until there were enough or nothing is left to do. */
async function killOn(scene, progress) {
  const restartAt = new Set(
    Array.from({ length: RESTARTS }, (_, n) => Math.floor(((n + 1) * KILLS) / (RESTARTS + 1))),
  );
  for (let round = 0; progress.kills < KILLS && !progress.done; round++) {
    await systemClock.sleep(
      Math.max(0, progress.fromMs + round * KILL_EVERY_MS - performance.now()),
    );
    if (restartAt.delete(progress.kills)) {
      const how = progress.restarts % 2 === 0 ? "SIGINT" : "SIGKILL";
      progress.restarts += 1;
      say(`the database server gets ${how}`);
      await scene.restartServer(how);
    }
    const victim = await scene.find(drawSort(Math.random()), Math.random());
    if (victim === null || !kill(victim.pid, "SIGKILL")) continue;
    progress.kills += 1;
    progress.killed[victim.sort] = (progress.killed[victim.sort] ?? 0) + 1;
  }
}

/** Mostly one that runs jobs; a main takes its workers along. */
function drawSort(dice) {
  if (dice < 0.05) return "main";
  return dice < 0.2 ? "internal-worker" : "general-worker";
}

/** Says how far it is, and throws when nothing has moved for too long. */
async function watch(scene, progress) {
  let [before, movedMs, saidMs] = [-1, performance.now(), 0];
  for (;;) {
    const left = await scene.ask(
      "SELECT count(*)::int AS left FROM jobs WHERE job_type = 'proof' AND status IN ('pending', 'running')",
    );
    const final = JOBS - left[0].left;
    if (performance.now() - saidMs > SAY_EVERY_MS) {
      say(`${final} of ${JOBS} jobs final, ${progress.kills} kills`);
      saidMs = performance.now();
    }
    if (final >= JOBS) break;
    if (final !== before) [before, movedMs] = [final, performance.now()];
    if (performance.now() - movedMs > STALL_MAX_MS)
      throw new Error("nothing has moved for two minutes");
    await systemClock.sleep(500);
  }
  progress.done = true;
}

async function judge(scene, progress) {
  const rows = await scene.ask(
    "SELECT seq, status, attempts, attempts_total, crash_count, error, (result->>'fence')::bigint AS fence FROM jobs WHERE job_type = 'proof'",
  );
  const runs = readJournals(scene.journals);
  const count = (status) => rows.filter((row) => row.status === status).length;
  const overlaps = findOverlaps(runs);
  const unfounded = rows.filter(
    ({ seq, status, fence }) =>
      status === "completed" && !runs.get(seq)?.some((run) => run.fence === fence && run.ended),
  );
  const starts = [...runs.values()].reduce((sum, list) => sum + list.length, 0);
  const [{ late }] = await scene.ask(
    "SELECT coalesce(sum(count), 0)::int AS late FROM control.late_settle",
  );
  const [{ restarts }] = await scene.ask(
    "SELECT count(*)::int AS restarts FROM healdec_log WHERE strategy = 'restart'",
  );
  const judged = [
    ["jobs lost", JOBS - rows.length],
    ["jobs without a final state", count("pending") + count("running")],
    ["jobs failed or cancelled", count("failed") + count("cancelled")],
    ["jobs wrongly quarantined", count("quarantined")],
    ["completions without a handler that ended", unfounded.length],
    ["handlers of one job that overlapped", overlaps.length],
    ["kills missing", Math.max(0, KILLS - progress.kills)],
    ["database restarts missing", Math.max(0, RESTARTS - progress.restarts)],
  ];
  say(
    `completed ${count("completed")} of ${JOBS}; ${starts} handler starts; restarted by healing ${restarts}; late finishes refused ${late}`,
  );
  say(
    `killed: ${Object.entries(progress.killed)
      .map(([what, n]) => `${what} ${n}`)
      .join(", ")}; database restarts: ${progress.restarts}`,
  );
  for (const row of rows.filter(({ status }) => status !== "completed").slice(0, 5))
    say(JSON.stringify(row));
  for (const { seq, earlier, later } of overlaps.slice(0, 5)) {
    say(
      `job-${seq}: fence ${later.fence} began ${Number(earlier.to - later.from) / 1e6} ms before fence ${earlier.fence} was over (${earlier.ended ? "ended" : "cut off"})`,
    );
  }
  for (const [what, n] of judged) say(`${n === 0 ? "ok  " : "FAIL"}  ${what}: ${n}`);
  return judged.every(([, n]) => n === 0);
}

const fine = await withScene(values.keep, async (scene) => {
  const settings = { workers: Math.max(1, Math.round(WORKERS / MAINS)), concurrency: CONCURRENCY };
  say(
    `${JOBS} jobs of 20-200 ms, ${KILLS} kills, ${MAINS} mains with ${settings.workers} workers of ${CONCURRENCY} slots each; ${scene.home}`,
  );
  for (let n = 1; n <= MAINS; n++) scene.startMain(`main-${n}`, settings);
  await scene.untilAlive(MAINS * (settings.workers + 1));
  await enqueueAll(scene);
  say("all jobs are in");
  const progress = { kills: 0, restarts: 0, done: false, killed: {}, fromMs: performance.now() };
  await Promise.all([killOn(scene, progress), watch(scene, progress)]);
  await scene.stopMains();
  return judge(scene, progress);
});
say(fine ? "proven: nothing lost" : "NOT proven");
process.exit(fine ? 0 : 1);
