// GitHub's limits met by three worker processes with one credential: a window that somebody else uses up, 429 with a
// time, a secondary limit with a time and without. Each time 300 jobs that ask GitHub once wait in the queue.
//
//   npm run build && node bench/proof/workers/github-limits.mjs            all four, two to three minutes
//   node bench/proof/workers/github-limits.mjs --only primary --jobs 100   one of them
//
// Ends with 1 when an attempt was burnt, a request came while GitHub had asked to wait, or the queue did not drain.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Type } from "typebox";
import { createGitHubSource } from "../../../dist/src/adapter/github-source.js";
import { startStandInOrg } from "../../../dist/src/adapter/stand-in/github-org.js";
import { systemClock } from "../../../dist/src/base/clock.js";
import { silentLogger } from "../../../dist/src/base/log.js";
import { KindRegistry } from "../../../dist/src/job/kinds.js";
import { DependencyBoard } from "../../../dist/src/runtime/dependency-board.js";
import { createDependencyGuard } from "../../../dist/src/runtime/dependency-guard.js";
import { guardSource } from "../../../dist/src/runtime/guarded-source.js";
import { loadDirectory, readPolicyDirectory } from "../../../dist/src/runtime/policy-source.js";
import { createRequestGate } from "../../../dist/src/runtime/request-gate.js";
import { createWorker } from "../../../dist/src/runtime/worker.js";
import { openDatabase } from "../../../dist/src/store/database.js";
import { enqueueJobs } from "../../../dist/src/store/jobs.js";
import { withScene } from "../scene.mjs";

const self = fileURLToPath(import.meta.url);
const packageRoot = dirname(dirname(dirname(dirname(self))));
const TOKEN = "ghp_of-the-proof";
const SCOPE = "api.github.com#12345678/core";
const PROCESSES = 3;
const DRAIN_MAX_MS = 170_000;
/** What was under way when GitHub first refused arrives within it, also on a busy machine. */
const UNDER_WAY_MS = 1_000;
/** Requests before GitHub refuses. */
const REFUSED_AFTER = 100;
const LOOK_MS = 50;
/** How it refuses, and for how long; the last one names no time, and a minute is its advice. */
const SCENES = {
  primary: { windowMs: 12_000 },
  "retry-after": { waitMs: 8_000 },
  "secondary-with-time": { waitMs: 8_000 },
  secondary: { waitMs: 58_000 },
};

async function main() {
  const { values } = parseArgs({
    options: { only: { type: "string" }, jobs: { type: "string", default: "300" } },
  });
  const names = Object.keys(SCENES).filter((name) => (values.only ?? name) === name);
  if (names.length === 0) throw new Error(`--only is one of ${Object.keys(SCENES).join(", ")}`);
  let isMet = true;
  for (const name of names) isMet = (await play(name, Number(values.jobs))) && isMet;
  process.exitCode = isMet ? 0 : 1;
}

async function play(name, jobs) {
  return withScene(false, async (scene) => {
    const { windowMs, waitMs } = SCENES[name];
    const limits = windowMs === undefined ? {} : { perWindow: REFUSED_AFTER + 20, windowMs };
    const github = await startStandInOrg({ org: "acme", token: TOKEN, limits });
    const ids = Array.from({ length: 10 }, (_, n) => github.add({ name: `repo-${n}` }).id);
    await enqueueJobs(
      scene.db,
      Array.from({ length: jobs }, (_, n) => ({
        ...{ kind: "index", payload: { id: ids[n % ids.length] } },
      })),
    );
    const workers = Array.from({ length: PROCESSES }, () => startWorker(scene, github.url));
    const beganMs = performance.now();
    await drain(scene, jobs, () => upset(github.limits, name, waitMs));
    const tookMs = performance.now() - beganMs;
    for (const worker of workers) worker.kill("SIGTERM");
    await Promise.all(workers.map(({ exited }) => exited));
    await github.close();
    return report(name, await readFacts(scene), { limits: github.limits, jobs, tookMs });
  });
}

/** Until all jobs have ended, or there is no hope that they do. */
async function drain(scene, jobs, look) {
  const byMs = performance.now() + DRAIN_MAX_MS;
  while (performance.now() < byMs) {
    look();
    const { ended } = await readFacts(scene);
    if (ended === jobs) return;
    await systemClock.sleep(LOOK_MS);
  }
}

/** Once it was asked often enough, GitHub has somebody else who uses up the rest, or has had enough of us. */
function upset(limits, name, waitMs) {
  const isOver = limits.seen.some(({ refusedUntilMs }) => refusedUntilMs !== null);
  if (isOver || limits.seen.length < REFUSED_AFTER / 2 || upset.done.has(limits)) return;
  upset.done.add(limits);
  if (name === "primary") limits.use(limits.remaining);
  else limits.refuse(name, waitMs);
}
upset.done = new WeakSet();

async function readFacts(scene) {
  const [facts] = await scene.ask(
    `SELECT count(*) FILTER (WHERE status = 'completed')::int AS completed,
       count(*) FILTER (WHERE status IN ('completed', 'failed', 'cancelled', 'quarantined'))::int AS ended,
       max(attempts)::int AS attempts, (SELECT count(*) FROM healdec_log)::int AS healed,
       (SELECT count(*) FROM control.github_permit)::int AS permits
     FROM jobs`,
  );
  return facts;
}

function report(name, facts, { limits, jobs, tookMs }) {
  const { seen } = limits;
  const early = seen.filter((request) => cameEarly(request, seen));
  const refused = seen.filter(({ refusedUntilMs }) => refusedUntilMs !== null);
  const isMet =
    facts.completed === jobs && facts.attempts === 1 && facts.healed === 0 && early.length === 0;
  process.stdout.write(
    `${isMet ? "met " : "MISSED "} ${name}: ${facts.completed} of ${jobs} jobs done in ${(tookMs / 1_000).toFixed(1)} s, ` +
      `${seen.length} requests, ${refused.length} refused, ${early.length} before the time that was named; ` +
      `most attempts of a job ${facts.attempts}, healings ${facts.healed}, permits left ${facts.permits}\n`,
  );
  // Without a refusal nothing was proven.
  return isMet && refused.length > 0;
}

/** After a refusal whose answer must have been heard, and before its time. */
function cameEarly({ atMs }, seen) {
  return seen.some(
    (refusal) =>
      refusal.refusedUntilMs !== null &&
      atMs > refusal.atMs + UNDER_WAY_MS &&
      atMs < refusal.refusedUntilMs,
  );
}

function startWorker({ home, url }, apiUrl) {
  const child = spawn(process.execPath, [self, "worker"], {
    env: {
      ...{ PATH: process.env.PATH, HOME: home, DATABASE_URL: url },
      ...{ PROOF_API_URL: apiUrl, PROOF_EVIDENCE: join(home, "evidence") },
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return Object.assign(child, { exited: once(child, "exit") });
}

/** One worker process whose kind `index` asks GitHub once for a repository. */
async function runWorker() {
  const {
    DATABASE_URL: databaseUrl,
    PROOF_API_URL: apiUrl,
    PROOF_EVIDENCE: evidenceDir,
  } = process.env;
  const db = openDatabase({ url: databaseUrl, poolMax: 10, applicationName: "proof", ssl: false });
  const policy = await shippedPolicy();
  const shared = {
    ...{ db, clock: systemClock, log: silentLogger, random: Math.random, policy: () => policy },
    ...{ emit: () => {}, notify: async () => {}, redact: (text) => text },
  };
  const source = openSource(shared, apiUrl);
  const worker = createWorker({
    ...shared,
    ...{ databaseUrl, databaseSsl: false, evidenceDir, lane: "general", kinds: null },
    ...{ globalCap: 1_000, pollMaxMs: 500, drainMs: 3_000, parentPid: null },
    registry: new KindRegistry([
      { kind: "index", lane: "general", payload: Type.Object({ id: Type.Number() }) },
    ]),
    handlers: [
      {
        kind: "index",
        run: async ({ job, signal }) => source.repo({ githubId: job.payload.id }, signal),
      },
    ],
    onFatal: () => process.exit(70),
  });
  await worker.start();
  await once(process, "SIGTERM");
  await worker.stop();
  await db.close();
  process.exit(0);
}

/** As the product has it: guard, gate, client. */
function openSource(shared, apiUrl) {
  const guard = createDependencyGuard({ ...shared, board: new DependencyBoard(shared) });
  const rules = () => shared.policy().workload.github;
  const gate = createRequestGate(async () => SCOPE, { ...shared, rules });
  const auth = { kind: "token", token: TOKEN };
  return guardSource(createGitHubSource({ auth, apiUrl, gate }), guard);
}

async function shippedPolicy() {
  const at = { cwd: packageRoot, packageRoot };
  const loaded = loadDirectory(await readPolicyDirectory("policies", at), "local");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return { ...loaded.value, schedules: [] };
}

await (process.argv[2] === "worker" ? runWorker() : main());
