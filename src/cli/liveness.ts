/** Is anybody there to do the work? By the heartbeats, which a killed machine no longer sends. */
import { systemClock } from "../base/clock.js";
import { ORCHESTRATOR_LEASE } from "../runtime/orchestrator.js";
import type { Sql } from "../store/database.js";
import { isLeaseHeld } from "../store/lease.js";
import { listDeadWorkers } from "../store/worker-deaths.js";
import { listWorkers } from "../store/workers.js";

/** Well above the beat of a worker, so that a slow machine is not taken for a dead one. */
const QUIET_MS = 10_000;
/** A runtime that has just started leads a few seconds before its first worker is up. */
const STARTING_MAX_MS = 10_000;
const LOOK_MS = 200;

/** Why no job of this kind would start now, as the end of a sentence; null when one would. */
export async function nobodyWorks(sql: Sql, kind: string): Promise<string | null> {
  const deadline = systemClock.now().getTime() + STARTING_MAX_MS;
  while (!(await isServed(sql, kind))) {
    if (!(await isLeaseHeld(sql, ORCHESTRATOR_LEASE)))
      return 'no worker process is alive: start the runtime with "npm start"';
    if (systemClock.now().getTime() > deadline)
      return "the runtime leads, but no worker process of it is alive: look at its log";
    await systemClock.sleep(LOOK_MS);
  }
  return null;
}

async function isServed(sql: Sql, kind: string): Promise<boolean> {
  const quiet = new Set((await listDeadWorkers(sql, QUIET_MS)).map(({ id }) => id));
  return (await listWorkers(sql)).some(
    ({ id, status, kinds }) => status === "alive" && kinds.includes(kind) && !quiet.has(id),
  );
}
