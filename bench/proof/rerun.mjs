// Measures on this machine how long a person waits for `rerun-job` on an idle system, from the command to the verified
// result: at a terminal from the start of the program to its end, and by a signed Slack command from the request to the
// run's verified end in the database, and to the word of it in Slack.
//
//   npm run build && node bench/proof/rerun.mjs              20 at a terminal, then 20 in Slack
//   node bench/proof/rerun.mjs --times 5                     fewer
//
// Ends with 1 when one took 2 s or more to its verified result, or had none. The word in Slack is printed, not judged.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { systemClock } from "../../dist/src/base/clock.js";
import { enqueueJob } from "../../dist/src/store/jobs.js";
import {
  packageRoot,
  quantile,
  serveProduct,
  until,
  wholeNumber,
  withProduct,
} from "./product.mjs";
import { openSlackTeam, withAnn } from "./slack-team.mjs";

const BAR_MS = 2_000;
const LOOK_MS = 10;
const START_SETTLE_MS = 10_000;
/** Between two: the system is idle again. */
const IDLE_MS = 1_000;

async function main() {
  const { values } = parseArgs({
    options: {
      times: { type: "string", default: "20" },
      keep: { type: "boolean", default: false },
    },
  });
  const times = wholeNumber(values.times);
  const team = await openSlackTeam();
  const product = { file: fileURLToPath(import.meta.url), keep: values.keep, more: team.more };
  try {
    const isMet = await withProduct(product, async (place) => {
      await systemClock.sleep(START_SETTLE_MS);
      const send = team.sender(place.url);
      const terminal = await measure(place, times, (job) => atTheTerminal(place, job));
      const slack = await measure(place, times, (job) => inSlack(place, team, send, job));
      return [
        report(
          "at a terminal: command to exit",
          terminal.map(({ wholeMs }) => wholeMs),
        ),
        report(
          "  of that, asked to verified",
          terminal.map(({ runMs }) => runMs),
        ),
        report(
          "in Slack: command to verified",
          slack.map(({ wholeMs }) => wholeMs),
        ),
        report(
          "  of that, asked to verified",
          slack.map(({ runMs }) => runMs),
        ),
        report(
          "  to the word in Slack",
          slack.map(({ wordMs }) => wordMs),
          Number.POSITIVE_INFINITY,
        ),
      ].every(Boolean);
    });
    process.exitCode = isMet ? 0 : 1;
  } finally {
    await team.close();
  }
}

async function measure({ db }, times, once) {
  const measured = [];
  for (let i = 0; i < times; i++) {
    const job = await enqueueJob(db, { kind: "export", payload: { entity: "events" } });
    const isDone = async () => (await statusOf(db, job.seq)) === "completed";
    await until(`${job.id} is completed`, isDone);
    await db.query("UPDATE jobs SET status = 'failed' WHERE seq = $1", [job.seq]);
    await systemClock.sleep(IDLE_MS);
    const took = await once(job);
    measured.push({ ...took, runMs: await readRunMs(db, job) });
  }
  return measured;
}

async function statusOf(db, seq) {
  return (await db.query("SELECT status FROM jobs WHERE seq = $1", [seq])).rows[0].status;
}

/** From the row of the run to its verified end, by the database's clock. */
async function readRunMs(db, { id, seq }) {
  const run = await readRun(db, id);
  if (run?.status !== "succeeded" || run.verified !== true)
    throw new Error(`the rerun of ${id} came to ${JSON.stringify(run)}`);
  if ((await statusOf(db, seq)) !== "completed") throw new Error(`${id} is not completed`);
  return run.ms;
}

async function readRun(db, jobId) {
  const { rows } = await db.query(
    `SELECT id, status, verified, outcome, (extract(epoch FROM ended_at - requested_at) * 1000)::float8 AS ms
     FROM control.run WHERE runbook = 'rerun-job' AND params ->> 'job' = $1`,
    [jobId],
  );
  return rows[0] ?? null;
}

/** What a person types, as a program of its own. Throws what it printed when it does not end with 0. */
async function atTheTerminal({ env }, { id }) {
  const words = ["runbook", "run", "rerun-job", id, "--reason", "a proof"];
  const startedMs = performance.now();
  await promisify(execFile)(process.execPath, [join(packageRoot, "bin/algobrain.js"), ...words], {
    ...{ env, cwd: packageRoot, timeout: 60_000 },
  });
  return { wholeMs: performance.now() - startedMs };
}

async function inSlack({ db }, team, send, { id }) {
  const startedMs = performance.now();
  const { channel } = await send(`rerun ${id} --reason "a proof"`);
  const hasEnded = async () => ((await readRun(db, id))?.ms ?? null) !== null;
  await until(`the rerun of ${id} has ended`, hasEnded, undefined, LOOK_MS);
  const wholeMs = performance.now() - startedMs;
  const isTold = () =>
    team.messages.some((it) => it.channel === channel && `${it.text}`.includes("succeeded"));
  await until(`Slack shows the end of the rerun of ${id}`, isTold, undefined, LOOK_MS);
  return { wholeMs, wordMs: performance.now() - startedMs };
}

function report(what, tookMs, barMs = BAR_MS) {
  const [p50, max] = [0.5, 1].map((share) => quantile(tookMs, share));
  console.log(
    `${what}: p50 ${p50.toFixed(0)} ms max ${max.toFixed(0)} ms (${tookMs.length} times)`,
  );
  return max < barMs;
}

await (process.argv[2] === "serve" ? serveProduct(withAnn) : main());
