/** Is anybody there to do the work? By the heartbeats, which a killed machine no longer sends. */
import type { Sql } from "../store/database.js";
import { listDeadWorkers, listWorkers } from "../store/workers.js";

/** Well above the beat of a worker, so that a slow machine is not taken for a dead one. */
const QUIET_MS = 10_000;

/** Why no job of this kind would start now, as the end of a sentence; null when one would. */
export async function nobodyWorks(sql: Sql, kind: string): Promise<string | null> {
  const quiet = new Set((await listDeadWorkers(sql, QUIET_MS)).map(({ id }) => id));
  const workers = await listWorkers(sql);
  const isThere = workers.some(
    ({ id, status, kinds }) => status === "alive" && kinds.includes(kind) && !quiet.has(id),
  );
  return isThere ? null : `no worker process is alive: start the runtime with "npm start"`;
}
