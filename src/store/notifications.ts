/** Hints between processes: they may be lost, so whoever listens also polls. */
import type { Session, Sql } from "./database.js";

/** A running job was taken from its worker: its handler is to stop. */
export const STOP_HINT = "stop";
/** There is room under a limit: it matters to those that a limit stood in the way of. */
export const CAPACITY_HINT = "capacity";

/** To what the triggers of control send when jobs are inserted or changed by hand, and to a channel of its own. */
export async function listenToJobs(session: Session, own: string): Promise<void> {
  await session.query(`LISTEN algobrain_job; LISTEN "${own}"`);
}

/** Throws a Fault when the server does not answer. */
export async function tell(sql: Sql, channel: string): Promise<void> {
  await sql.query("SELECT pg_notify($1, '')", [channel]);
}
