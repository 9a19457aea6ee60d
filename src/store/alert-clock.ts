/** When rules were last judged: one row for each interval that rules have, written with the outcome. */
import type { Sql } from "./database.js";

export type AlertClock = readonly {
  /** Of the rules that were judged, in milliseconds. */
  readonly everyMs: number;
  /** Aligned to the epoch. */
  readonly tickAt: Date;
}[];

/** The transaction that stores the outcome of the tick writes it. */
export async function writeAlertClock(tx: Sql, clock: AlertClock): Promise<void> {
  await tx.query(
    `INSERT INTO control.alert_clock (every_ms, tick_at)
     SELECT * FROM unnest($1::int[], $2::timestamptz[]) AS given (every_ms, tick_at) ORDER BY every_ms
     ON CONFLICT (every_ms) DO UPDATE SET tick_at = excluded.tick_at`,
    [clock.map(({ everyMs }) => everyMs), clock.map(({ tickAt }) => tickAt)],
  );
}
