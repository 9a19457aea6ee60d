// The program of the proof: the product's own orchestrator and internal lane, supervised beside workers whose one
// kind, `proof`, sleeps for as long as its payload says and keeps a journal of its own.
//
//   node bench/proof/program.mjs main      supervises the rest; DATABASE_URL and ALGOBRAIN_HOME as for serve
//   node bench/proof/program.mjs worker    one worker process of the kind
import { once } from "node:events";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Type } from "typebox";
import { systemClock } from "../../dist/src/base/clock.js";
import { createLogger } from "../../dist/src/base/log.js";
import { KindRegistry } from "../../dist/src/job/kinds.js";
import { readPublished } from "../../dist/src/main/policy.js";
import { startRuntime } from "../../dist/src/main.js";
import { readConfig } from "../../dist/src/runtime/config.js";
import { createEmit } from "../../dist/src/runtime/events.js";
import { parentLink } from "../../dist/src/runtime/parent-link.js";
import { recoverWorker } from "../../dist/src/runtime/recover.js";
import { createSupervisor } from "../../dist/src/runtime/supervisor.js";
import { createWorker } from "../../dist/src/runtime/worker.js";
import { openDatabase } from "../../dist/src/store/database.js";
import { openJournal } from "./journal.mjs";

const self = fileURLToPath(import.meta.url);
const packageRoot = dirname(dirname(dirname(self)));
const { env } = process;
const settings = JSON.parse(env.PROOF_SETTINGS ?? "{}");
const writeLog = (line) => process.stderr.write(`${line}\n`);
const DRAIN_MS = 3_000;

/** The shipped policy with one more kind, no schedule, and what a test at small scale asks for. */
function changePolicy(policy) {
  const { concurrency = 15, workerDeadAfterMs = policy.healing.workerDeadAfterMs } = settings;
  const like = policy.workers.index;
  const proof = {
    ...like,
    kind: "proof",
    concurrency,
    globalMax: null,
    timeoutMs: 600_000,
    attemptsMax: 10,
  };
  return {
    ...policy,
    schedules: [],
    workers: { ...policy.workers, proof },
    healing: { ...policy.healing, workerDeadAfterMs },
  };
}

async function main() {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join("; "));
  const runtime = await startRuntime({
    ...{
      config: read.value,
      role: "orchestrator",
      lane: null,
      kinds: null,
      packageRoot,
      cwd: packageRoot,
    },
    ...{ env, writeLog, onFatal: (why) => fail(why), changePolicy },
  });
  const { foundation } = runtime;
  const general = Array.from({ length: settings.workers ?? 2 }, (_, n) => ({
    ...{ name: `proof-${n + 1}`, argv: [process.execPath, self, "worker"] },
    env: { ...env, ALGOBRAIN_HOME: read.value.home },
  }));
  const bin = `${packageRoot}/bin/algobrain.js`;
  const internal = {
    ...{ name: "internal", env },
    argv: [process.execPath, bin, "serve", "--role", "worker", "--lane", "internal"],
  };
  const supervisor = createSupervisor({
    ...foundation,
    programs: settings.internal === false ? general : [...general, internal],
    onWorkerGone: (workerId, end) => recoverWorker(workerId, foundation, end),
    graceMs: DRAIN_MS + 2_000,
  });
  supervisor.start();
  await asked();
  await supervisor.stop();
  await runtime.stop();
}

async function worker() {
  const url = env.DATABASE_URL;
  const db = openDatabase({ url, poolMax: 5, applicationName: "algobrain-proof", ssl: false });
  const policy = await patiently(() => readPublished(db));
  const journal = openJournal(env.PROOF_JOURNAL);
  const link = parentLink();
  const log = createLogger({
    level: "info",
    clock: systemClock,
    redact: (text) => text,
    write: writeLog,
    fields: {},
  });
  const started = createWorker({
    ...{
      db,
      databaseUrl: url,
      databaseSsl: false,
      policy: () => policy.set,
      log,
      clock: systemClock,
    },
    registry: new KindRegistry([
      { kind: "proof", lane: "general", payload: Type.Object({ ms: Type.Number() }) },
    ]),
    handlers: [{ kind: "proof", run: (context) => run(context, journal) }],
    ...{ lane: "general", kinds: null, globalCap: 100_000, pollMaxMs: 1_000, drainMs: DRAIN_MS },
    ...{ parentPid: link.parentPid, evidenceDir: `${env.ALGOBRAIN_HOME}/evidence` },
    ...{
      emit: createEmit(log, () => {}),
      random: Math.random,
      redact: (text) => text,
      notify: async () => {},
    },
    onFatal: (why) => fail(why),
  });
  await patiently(() => started.start());
  link.onGone(() => fail("the supervisor is gone"));
  await asked();
  await started.stop(ended.drainMs);
  await db.close();
  link.release();
  process.exit(0);
}

async function run({ job, signal }, journal) {
  journal.start(job);
  await systemClock.sleep(job.payload.ms, signal);
  journal.end(job);
  if (signal.aborted) throw signal.reason;
  return { fence: job.fence, pid: process.pid, host: hostname() };
}

/** What a platform does by starting it again: the database may be away for a while. */
async function patiently(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      writeLog(JSON.stringify({ event: "proof.awaited", error: String(error) }));
      await systemClock.sleep(300);
      if (process.ppid === 1) process.exit(1);
    }
  }
}

const ended = Object.assign(new AbortController(), { drainMs: DRAIN_MS });

function fail(why) {
  writeLog(JSON.stringify({ event: "proof.ended", why }));
  ended.drainMs = 0;
  ended.abort();
}

async function asked() {
  process.on("SIGTERM", () => ended.abort());
  if (!ended.signal.aborted) await once(ended.signal, "abort");
}

await (process.argv[2] === "main" ? main() : worker());
