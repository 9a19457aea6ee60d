/**
 * Samples grow old by whole days: those of chunks and rounds, and those of the partitions that are left of the
 * versions before.
 */
import { Fault } from "../../base/fault.js";
import type { JobContext } from "../../job/port.js";
import type { Database } from "../../store/database.js";
import { deleteExpired } from "../../store/retention.js";
import { dropSampleDay, listSampleDaysBefore } from "../../store/sample-partitions.js";
import { deleteEmptySeries, deleteExpiredSamples } from "../../store/sample-retention.js";
import type { NextBatch } from "./gc-batches.js";

export interface SampleGc {
  readonly db: Database;
  readonly before: Date;
  readonly context: JobContext;
  readonly inBatches: (next: NextBatch) => Promise<number>;
}

/** How many samples went. */
export async function collectSamples(gc: SampleGc): Promise<number> {
  const { db, before, context, inBatches } = gc;
  const inChunks = await inBatches(async () => ({
    count: await deleteExpiredSamples(db, before),
    reached: null,
  }));
  const dropped = await dropDays(gc);
  const inRows = await inBatches((limit, from) =>
    deleteExpired(db, "samples", before, from, limit),
  );
  const series = await deleteEmptySeries(db);
  if (series > 0) context.log.info("gc.series-forgotten", { series });
  return inChunks + dropped + inRows;
}

/** Days that have a partition are dropped; the few rows that lie elsewhere are deleted like others. */
async function dropDays({ db, before, context }: SampleGc): Promise<number> {
  let dropped = 0;
  for (const day of await listSampleDaysBefore(db, before)) {
    context.signal.throwIfAborted();
    try {
      dropped += await db.transaction((tx) => dropSampleDay(tx, day));
      context.log.info("gc.partition-dropped", { partition: day });
    } catch (error) {
      if (!(error instanceof Fault && error.code === "DATABASE_UNAVAILABLE")) throw error;
      // In use just now: the next run drops it.
      context.log.warn("gc.partition-in-use", { partition: day, error: error.message });
      break;
    }
  }
  return dropped;
}
