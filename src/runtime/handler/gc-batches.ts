/**
 * Deletes in batches that live work does not notice: as large as a statement of a tenth of a second allows, with
 * pauses between them, and never more in all than was previewed.
 */
import type { Clock } from "../../base/clock.js";
import type { JobContext } from "../../job/port.js";
import { BATCH_ROWS, type Batch } from "../../store/retention.js";
import { type GcDue, moreThanPreviewed } from "./gc-plan.js";

const ROWS_MIN = 100;
const ROWS_MAX = 5_000;
/** A statement that takes longer keeps others waiting for its locks and its writes. */
const SLOW_MS = 200;
/** One that takes less is mostly overhead. */
const QUICK_MS = 50;
/** Pauses are this many times as long as the batch before: a seventh of one connection is all that gc takes. */
const PAUSE_FACTOR = 6;
/** A server that hangs for a minute does not make us sleep for six. */
const PAUSE_MAX_MS = 5_000;
/** Said this often while a long deletion goes on. */
const PROGRESS_BATCHES = 50;

/** @param tookMs of a batch of `rows` */
export function nextBatchRows(rows: number, tookMs: number): number {
  if (tookMs > SLOW_MS) return Math.max(ROWS_MIN, Math.floor(rows / 2));
  return tookMs < QUICK_MS ? Math.min(ROWS_MAX, rows * 2) : rows;
}

export interface BatchDeps {
  readonly clock: Clock;
  readonly context: JobContext;
  /** Of all entities: what the deletion may come to, and what it came to before this entity. */
  readonly total: { readonly due: number; readonly before: number };
}

/** With the most that may go of it, and what is still due when so many are gone. */
export interface BoundDue extends GcDue {
  readonly most: number;
  left(): Promise<number>;
}

/** Deletes at most `limit` rows from where the last batch reached; a count of 0: none is left. */
export type NextBatch = (limit: number, from: string | null) => Promise<Batch>;

/**
 * Returns how many rows went. Throws a refused Fault `GC_MORE_THAN_PREVIEWED` when `most` are gone and more are due:
 * rows may be backdated while it works.
 */
export async function deleteInBatches(
  { clock, context, total }: BatchDeps,
  due: BoundDue,
  next: NextBatch,
): Promise<number> {
  const { entity, most } = due;
  let [deleted, size, from] = [0, BATCH_ROWS, null as string | null];
  for (let batches = 1; ; batches++) {
    context.signal.throwIfAborted();
    const startedMs = performance.now();
    const { count, reached } = await next(Math.min(size, most - deleted), from);
    const tookMs = performance.now() - startedMs;
    if (count === 0) return deleted;
    deleted += count;
    if (deleted >= most) return endAtMost(due, deleted);
    [size, from] = [nextBatchRows(size, tookMs), reached];
    const share = total.due === 0 ? 1 : Math.min(1, (total.before + deleted) / total.due);
    context.progress(share, `${entity}: ${deleted} deleted`);
    if (batches % PROGRESS_BATCHES === 0) context.log.info("gc.progress", { entity, deleted });
    await clock.sleep(Math.min(PAUSE_MAX_MS, tookMs * PAUSE_FACTOR), context.signal);
  }
}

async function endAtMost(due: BoundDue, gone: number): Promise<number> {
  const left = await due.left();
  if (left === 0) return gone;
  throw moreThanPreviewed(due, { due: left, gone });
}
