/** Hints between processes: they may be lost, so whoever listens also polls. */
import type { Session, Sql } from "./database.js";

/** A running job was taken from its worker: its handler is to stop. */
export const STOP_HINT = "stop";

/** Sent by the triggers of control when jobs are inserted or changed by hand. */
export async function listenToJobs(session: Session): Promise<void> {
  await session.query("LISTEN algobrain_job");
}

/** Does the server answer on this connection? Throws a Fault when it does not. */
export async function probe(sql: Sql): Promise<void> {
  await sql.query("SELECT 1");
}
