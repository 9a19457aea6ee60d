/** Goes through the texts that may name a person, table by table. */
import type { JsonObject } from "../base/json.js";
import type { JobContext } from "../job/port.js";
import type { Database } from "../store/database.js";
import { type PersonTexts, type Scrubbing, scrubBatch } from "../store/person-texts.js";

interface Walk {
  /** See `ScrubStep`. */
  readonly patterns: readonly string[];
  readonly context: JobContext;
  readonly dryRun: boolean;
}

/** Changed rows by table, without those that have none. One short transaction a batch; ends when the job must. */
export async function walkTexts(
  db: Database,
  places: readonly PersonTexts[],
  scrubbing: Scrubbing,
  { patterns, context, dryRun }: Walk,
): Promise<JsonObject> {
  const step = { patterns, exceptJob: context.job.seq, dryRun };
  const counts: JsonObject = {};
  for (const [at, place] of places.entries()) {
    context.progress(at / places.length, place.table);
    let count = 0;
    for (let after: number | null = 0; after !== null; ) {
      context.signal.throwIfAborted();
      const from: number = after;
      const batch = await db.transaction((tx) =>
        scrubBatch(tx, place, { ...step, after: from }, scrubbing),
      );
      count += batch.changed;
      after = batch.reached;
    }
    if (count > 0) counts[place.table] = count;
  }
  return counts;
}
