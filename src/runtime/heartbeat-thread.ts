/** The body of the heartbeat thread: see heartbeat.ts. It shares nothing with the busy main thread. */
import { truncateSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.js";
import { errorMessage } from "../base/fault.js";
import { openDatabase } from "../store/database.js";
import { beatWorker } from "../store/workers.js";
import {
  HEARTBEAT_CONNECTIONS,
  type HeartbeatMessage,
  type HeartbeatOptions,
} from "./heartbeat.js";

/** Two beats may be lost before anyone worries. */
const BEATS_PER_LEASE = 4;
/** The parent is looked at more often than the database. */
const STEP_MAX_MS = 500;
const LAST_WORDS_MS = 300;
/** An orphan still holds its lease: it may give its jobs back before it goes. */
const GIVE_BACK_MS = 2_500;

assert(parentPort !== null, "heartbeat-thread runs as a thread");
const port = parentPort;
const options = workerData as HeartbeatOptions;
const everyMs = Math.max(50, Math.floor(options.deadAfterMs / BEATS_PER_LEASE));
const db = openDatabase({
  url: options.databaseUrl,
  ssl: options.ssl,
  poolMax: HEARTBEAT_CONNECTIONS,
  applicationName: "algobrain-heartbeat",
  connectTimeoutMs: everyMs,
  statementTimeoutMs: everyMs,
});
const stopped = new AbortController();
port.once("message", () => stopped.abort());

await beatUntilStopped();
await db.close();
port.close();

async function beatUntilStopped(): Promise<void> {
  let lastBeatMs = performance.now();
  let nextMs = 0;
  while (!stopped.signal.aborted) {
    if (orphaned()) return die("its supervisor is gone", GIVE_BACK_MS);
    if (performance.now() >= nextMs) {
      // Others count from when the beat was written, so we count from before it was sent.
      const sentMs = performance.now();
      const failure = await beat();
      if (failure === null) lastBeatMs = sentMs;
      else if (failure.final) return die(failure.why);
      if (performance.now() - lastBeatMs > options.deadAfterMs) {
        return die(`no beat for ${options.deadAfterMs} ms: ${failure?.why ?? "paused"}`);
      }
      nextMs = sentMs + everyMs;
    }
    await pause();
  }
}

async function beat(): Promise<{ why: string; final: boolean } | null> {
  try {
    const known = await beatWorker(db, options.workerId, startedJobs());
    if (!known) return { why: "others took this worker for dead", final: true };
    say({ kind: "beating" });
    return null;
  } catch (error) {
    return { why: errorMessage(error), final: false };
  }
}

function startedJobs(): number[] {
  return [...new Float64Array(options.started)].filter((seq) => seq > 0);
}

function orphaned(): boolean {
  return options.parentPid !== null && process.ppid !== options.parentPid;
}

async function pause(): Promise<void> {
  try {
    await sleep(Math.min(everyMs, STEP_MAX_MS), undefined, { signal: stopped.signal });
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
  }
}

/** Whatever the main thread is doing, it must not go on: others may run its jobs by now. */
async function die(why: string, graceMs = LAST_WORDS_MS): Promise<void> {
  say({ kind: "lost", why });
  await sleep(graceMs);
  try {
    // Whoever took this worker for dead has read the file and removed it.
    if (options.evidencePath !== null) truncateSync(options.evidencePath);
  } finally {
    process.kill(process.pid, "SIGKILL");
  }
}

function say(message: HeartbeatMessage): void {
  port.postMessage(message);
}
