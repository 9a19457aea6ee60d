// Proves on this machine that Slack's three seconds are kept under load: signed commands at a steady rate while runs
// are at work, against the whole product in processes of its own. Prints how long the acknowledgements took and how
// many runs were executing meanwhile, and counts by the rows what was lost or done twice.
//
//   npm run build && node bench/proof/slack-load.mjs                  1,000 commands at 50 a second, 20 runs at work
//   node bench/proof/slack-load.mjs --commands 200 --runs 5           smaller
//
// Ends with 1 when p99 is 200 ms or more, when anything was lost or doubled, or when at any look during the load fewer
// runs than asked for were executing.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { systemClock } from "../../dist/src/base/clock.js";
import { enqueueJob } from "../../dist/src/store/jobs.js";
import { count, quantile, serveProduct, until, wholeNumber, withProduct } from "./product.mjs";
import { openSlackTeam, withAnn } from "./slack-team.mjs";

const P99_MAX_MS = 200;
const SETTLE_MAX_MS = 300_000;
const COUNT_EVERY_MS = 250;

/** Held by a living executor, which is inside a step of it. */
const EXECUTING = `control.run AS run WHERE run.runbook = 'rerun-job' AND run.status = 'running'
  AND run.lease_until > clock_timestamp()
  AND EXISTS (SELECT FROM control.run_step AS step WHERE step.run_seq = run.seq AND step.status = 'running')`;

async function main() {
  const { values } = parseArgs({
    options: {
      commands: { type: "string", default: "1000" },
      rate: { type: "string", default: "50" },
      runs: { type: "string", default: "20" },
      keep: { type: "boolean", default: false },
    },
  });
  const [commands, perSecond, runs] = [values.commands, values.rate, values.runs].map(wholeNumber);
  const team = await openSlackTeam();
  const product = { file: fileURLToPath(import.meta.url), keep: values.keep, more: team.more };
  try {
    const isMet = await withProduct(product, async ({ db, url }) => {
      const send = team.sender(url);
      await putRunsToWork(db, send, runs);
      return report(await storm(db, send, { commands, perSecond }), { commands, perSecond, runs });
    });
    process.exitCode = isMet ? 0 : 1;
  } finally {
    await team.close();
  }
}

/** Reruns of jobs whose queue is paused: each follows its job for as long as the storm lasts. */
async function putRunsToWork(db, send, runs) {
  await send("pause-queue export 1h so that runs wait for their jobs");
  const isPaused = async () => (await count(db, "control.queue_pause")) > 0;
  await until("the queue is paused", isPaused);
  for (let i = 0; i < runs; i++) {
    const { id, seq } = await enqueueJob(db, { kind: "export", payload: { entity: "events" } });
    await db.query("UPDATE jobs SET status = 'failed' WHERE seq = $1", [seq]);
    await send(`rerun ${id}`);
  }
  const areAtWork = async () => (await count(db, EXECUTING)) >= runs;
  await until(`${runs} runs are at work at once`, areAtWork);
}

/** Each command is one of its own, so that by the rows each is kept once and settled once. */
async function storm(db, send, { commands, perSecond }) {
  const before = await count(db, "control.inbound");
  const isOver = new AbortController();
  const counting = countExecuting(db, isOver.signal);
  const acks = await Promise.all(
    Array.from({ length: commands }, async (_, i) => {
      await systemClock.sleep((i * 1_000) / perSecond);
      return send(`run-${i + 1_000_000}`);
    }),
  );
  isOver.abort();
  const executing = await counting;
  const isSettled = async () =>
    (await count(db, "control.inbound WHERE status = 'received'")) === 0;
  await until("every command is settled", isSettled, SETTLE_MAX_MS);
  const answers =
    "control.chat_post WHERE purpose = 'inbound' AND body ->> 'title' LIKE '%run-1______'";
  return {
    ...{ acks, executing, kept: (await count(db, "control.inbound")) - before },
    answered: await count(db, `(SELECT DISTINCT body ->> 'title' FROM ${answers}) AS one`),
    answers: await count(db, answers),
  };
}

/** How many runs were executing, at each look. */
async function countExecuting(db, isOver) {
  const counts = [];
  while (!isOver.aborted) {
    counts.push(await count(db, EXECUTING));
    await systemClock.sleep(COUNT_EVERY_MS, isOver);
  }
  return counts;
}

function report({ acks, executing, kept, answered, answers }, { commands, perSecond, runs }) {
  const took = acks.map(({ tookMs }) => tookMs);
  const refused = acks.filter(({ status }) => status !== 200).length;
  const taken = commands - refused;
  const [lost, doubled] = [taken - answered, kept - taken + (answers - answered)];
  const least = Math.min(...executing);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(took, share));
  console.log(
    `${commands} commands at ${perSecond}/s while runs execute (of ${runs}: min ${least} median ${quantile(executing, 0.5)}, ${executing.length} looks): ` +
      `ack p50 ${p50.toFixed(0)} ms p99 ${p99.toFixed(0)} ms max ${max.toFixed(0)} ms ` +
      `refused ${refused} lost ${lost} doubled ${doubled}`,
  );
  return p99 < P99_MAX_MS && least >= runs && refused === 0 && lost === 0 && doubled === 0;
}

await (process.argv[2] === "serve" ? serveProduct(withAnn) : main());
