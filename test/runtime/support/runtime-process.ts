/**
 * The smallest runtime that can be killed: `main` supervises two workers and orchestrates, `worker` is
 * one of them. Its jobs of kind `index` read a file; one whose payload says `hold` is held in that attempt until it is stopped.
 * Those of kind `ingest` and `export` write down what they do: see told-handlers.ts.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../src/base/clock.js";
import { silentLogger } from "../../../src/base/log.js";
import { Type } from "../../../src/base/type.js";
import { KindRegistry } from "../../../src/job/kinds.js";
import type { JobHandler } from "../../../src/job/port.js";
import { createOrchestrator } from "../../../src/runtime/orchestrator.js";
import { parentLink } from "../../../src/runtime/parent-link.js";
import { recoverWorker } from "../../../src/runtime/recover.js";
import { createSupervisor } from "../../../src/runtime/supervisor.js";
import { recoverDeadWorkersStep } from "../../../src/runtime/tick/recover-dead-workers.js";
import { createWorker } from "../../../src/runtime/worker.js";
import { openDatabase } from "../../../src/store/database.js";
import { makePolicy } from "./policy.js";
import { toldHandlers } from "./told-handlers.js";

const self = fileURLToPath(import.meta.url);
const [role] = process.argv.slice(2);
const databaseUrl = process.env.TEST_RUNTIME_DATABASE_URL ?? "";
const evidenceDir = process.env.TEST_RUNTIME_EVIDENCE_DIR ?? null;
const journal = process.env.TEST_RUNTIME_JOURNAL ?? "/dev/null";
const workerDeadAfterMs = Number(process.env.TEST_RUNTIME_DEAD_AFTER_MS);
const policy = () => makePolicy({ healing: { crashMax: 50, workerDeadAfterMs } });
const shared = {
  evidenceDir,
  clock: systemClock,
  log: silentLogger,
  emit: () => {},
  random: Math.random,
  redact: (text: string) => text,
  notify: async () => {},
};

const index: JobHandler = {
  kind: "index",
  run: async ({ job, signal }) => {
    if (job.payload.hold === job.attempt) await once(signal, "abort");
    return { bytes: (await readFile(self)).length };
  },
};

function open(applicationName: string) {
  return openDatabase({ url: databaseUrl, poolMax: 5, applicationName, ssl: false });
}

async function runWorker(): Promise<void> {
  const db = open("algobrain-worker");
  const link = parentLink();
  const handlers = [index, ...toldHandlers(journal)];
  const worker = createWorker({
    ...shared,
    db,
    databaseUrl,
    databaseSsl: false,
    registry: new KindRegistry(
      handlers.map(({ kind }) => ({ kind, lane: "general", payload: Type.Object({}) })),
    ),
    handlers,
    policy,
    lane: "general",
    kinds: null,
    globalCap: 100,
    pollMaxMs: 200,
    drainMs: 1_000,
    parentPid: link.parentPid,
    onFatal: () => process.exit(70),
  });
  const stop = async () => {
    await worker.stop();
    await db.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  link.onGone(() => void stop());
  await worker.start();
}

async function runMain(): Promise<void> {
  const db = open("algobrain-main");
  const recovery = { ...shared, db, policy };
  const orchestrator = createOrchestrator({
    ...shared,
    db,
    holder: `test:${process.pid}`,
    leaseTtlMs: 2_000,
    everyMs: 500,
    cycle: [recoverDeadWorkersStep(recovery)],
    ticks: [],
  });
  const supervisor = createSupervisor({
    ...shared,
    programs: ["a", "b"].map((name) => ({
      name,
      argv: [process.execPath, "--import", "tsx", self, "worker"] as const,
      env: process.env,
    })),
    onWorkerGone: async (workerId, end) => {
      await recoverWorker(workerId, recovery, end);
    },
    graceMs: 6_000,
  });
  const stop = async () => {
    await supervisor.stop();
    await orchestrator.stop();
    await db.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  supervisor.start();
  orchestrator.start();
}

await (role === "main" ? runMain() : runWorker());
