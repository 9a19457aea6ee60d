// A backfill of scores is killed with -9 in the middle, with every process of the product, and goes on in the next
// ones. Its rows are compared with those of an undisturbed backfill, and while it runs live scores are asked for.
//
//   npm run build && node bench/proof/workers/backfill.mjs               5 repositories, 60 days: about a minute and a half
//   node bench/proof/workers/backfill.mjs --days 20                      shorter
//
// Ends with 1 when a day is missing or there twice, when a row differs, or when one of twenty live scores had
// to wait for a second.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { systemClock } from "../../../dist/src/base/clock.js";
import { enqueueJob } from "../../../dist/src/store/jobs.js";
import {
  count,
  quantile,
  serveProduct,
  until,
  untilAlive,
  wholeNumber,
  withPlace,
} from "../product.mjs";
import { kill } from "../scene.mjs";

const LIVE_WAIT_BAR_MS = 1_000;
const LIVE_EVERY_MS = 250;
const END_MAX_MS = 150_000;
const REPOS = 5;
const DAY_MS = 86_400_000;
const file = fileURLToPath(import.meta.url);
const last = new Date(Date.now() - DAY_MS);

async function main() {
  const { values } = parseArgs({ options: { days: { type: "string", default: "60" } } });
  const days = wholeNumber(values.days);
  const isMet = await withPlace(false, async (place) => {
    await makeRepositories(place.home, days);
    await startAll(place);
    await index(place);
    const killed = await backfill(place, days, killInTheMiddle);
    await place.db.query("DELETE FROM scores");
    const calm = await backfill(place, days, askForLiveScores);
    return judge({ killed, calm, planned: REPOS * days });
  });
  process.exitCode = isMet ? 0 : 1;
}

/** One commit a day since before the first day, by three people in turn. */
async function makeRepositories(home, days) {
  for (let n = 0; n < REPOS; n += 1) {
    const path = join(home, "repositories", `r${n}`);
    mkdirSync(path, { recursive: true });
    await git(path, ["init", "--quiet", "--initial-branch=main"], "");
    const commits = Array.from({ length: days + 30 }, (_, at) => {
      const seconds = Math.floor((last.getTime() - (days + 29 - at) * DAY_MS) / 1_000);
      const who = `P${(at + n) % 3} <p${(at + n) % 3}@example.org> ${seconds} +0000`;
      return `commit refs/heads/main\nauthor ${who}\ncommitter ${who}\ndata 1\nx\n`;
    });
    await git(path, ["fast-import", "--quiet"], commits.join(""));
  }
}

async function git(cwd, args, input) {
  const child = spawn("git", args, { cwd, stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.end(input);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`git ${args[0]} ended with ${code}`);
}

/** Of all other processes; it starts again what ends. */
let supervisor;

async function startAll({ db, start }) {
  await db.query("UPDATE workers SET status = 'dead' WHERE status = 'alive'");
  supervisor = start(file, "all", { PORT: "0" });
  await untilAlive(db, 4);
}

async function index({ db, home }) {
  await enqueueJob(db, { kind: "index", payload: { path: join(home, "repositories") } });
  await untilIdle(db, "jobs of index, identity and score have ended", async () => true);
  if ((await count(db, "claims")) === 0) throw new Error("nobody was identified");
}

async function untilIdle(db, what, isAlso) {
  const open = `jobs WHERE status IN ('pending', 'running') AND job_type IN ('index', 'identity', 'score', 'backfill')`;
  const isOver = async () => (await count(db, open)) === 0 && (await isAlso());
  await until(what, isOver, END_MAX_MS);
}

/** The rows that it made, without their ids and times, and what its job says. */
async function backfill(place, days, meanwhile) {
  const { db } = place;
  const [from, to] = [new Date(last.getTime() - (days - 1) * DAY_MS), last].map(dayOf);
  const payload = { entity: "scores", start_date: from, end_date: to };
  const began = performance.now();
  const job = await enqueueJob(db, { kind: "backfill", payload });
  const isOver = async () =>
    (await count(db, "control.backfill WHERE finished_at IS NOT NULL AND job_seq = $1", [
      job.seq,
    ])) > 0;
  const waits = await meanwhile(place, job, isOver);
  await untilIdle(db, "the backfill has ended", isOver);
  const { rows } = await db.query(
    `SELECT repo_id AS repo, parts ->> 'asOf' AS day, to_jsonb(s) - ARRAY['id', 'computed_at'] AS row
     FROM scores s WHERE parts ->> 'asOf' BETWEEN $1 AND $2 ORDER BY 1, 2, s.formula`,
    [from, to],
  );
  const { result } = (await db.query("SELECT result FROM jobs WHERE seq = $1", [job.seq])).rows[0];
  return { rows, result, waits, tookS: (performance.now() - began) / 1_000 };
}

function dayOf(at) {
  return at.toISOString().slice(0, 10);
}

async function killInTheMiddle(place, job) {
  const { db } = place;
  const ended = `jobs WHERE parent_seq = ${job.seq} AND status = 'completed'`;
  const isUnderWay = async () => (await count(db, ended)) >= 20;
  await until("twenty children have ended", isUnderWay, END_MAX_MS, 50);
  const { rows } = await db.query("SELECT pid FROM workers WHERE status = 'alive'");
  supervisor.kill("SIGKILL");
  for (const { pid } of rows) kill(pid, "SIGKILL");
  console.log(`killed ${rows.length} processes after ${await count(db, ended)} children`);
  await startAll(place);
  return [];
}

/** One at a time, so that none waits for another of them. */
async function askForLiveScores({ db }, _job, isOver) {
  const { rows } = await db.query("SELECT id FROM repos ORDER BY id");
  const waits = [];
  for (let n = 0; !(await isOver()); n += 1) {
    const payload = { repo_id: rows[n % rows.length].id };
    const { seq } = await enqueueJob(db, { kind: "score", payload });
    await until("a live score has ended", () => hasEnded(db, seq), END_MAX_MS, 50);
    waits.push(await waitOf(db, seq));
    await systemClock.sleep(LIVE_EVERY_MS);
  }
  return waits;
}

async function hasEnded(db, seq) {
  return (await count(db, "jobs WHERE seq = $1 AND status = 'completed'", [seq])) === 1;
}

/** Milliseconds from asking to its start. */
async function waitOf(db, seq) {
  const { rows } = await db.query(
    "SELECT (extract(epoch FROM started_at - created_at) * 1000)::float8 AS ms FROM jobs WHERE seq = $1",
    [seq],
  );
  return rows[0].ms;
}

function judge({ killed, calm, planned }) {
  const days = new Set(killed.rows.map(({ repo, day }) => `${repo} ${day}`));
  const isWhole = killed.rows.length === planned && days.size === planned;
  const isSame = JSON.stringify(killed.rows) === JSON.stringify(calm.rows);
  const [p50, p95, most] = [0.5, 0.95, 1].map((share) => quantile(calm.waits, share));
  console.log(
    `killed: ${killed.rows.length} of ${planned} rows, ${days.size} days, ${killed.tookS.toFixed(0)} s ${JSON.stringify(killed.result)}`,
  );
  console.log(
    `undisturbed: ${calm.rows.length} rows, ${calm.tookS.toFixed(0)} s; rows ${isSame ? "equal" : "DIFFER"}`,
  );
  console.log(
    `live scores meanwhile: ${calm.waits.length}, waited ${p50.toFixed(0)} ms (median), ${p95.toFixed(0)} ms (p95), ${most.toFixed(0)} ms (most)`,
  );
  return isWhole && isSame && calm.waits.length > 0 && p95 < LIVE_WAIT_BAR_MS;
}

const withoutSchedules = (policy) => ({ ...policy, schedules: [] });

await (process.argv[2] === "serve" ? serveProduct(withoutSchedules) : main());
