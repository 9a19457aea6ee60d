/**
 * Asks for the children of a backfill, as many at once as the throttle lets through, and waits for them without
 * holding a slot. Children and the place that they reach are kept in one transaction: whatever breaks off in between
 * has asked for nothing, and whoever goes on begins where the last one ended.
 */
import { type Fault, fault } from "../base/fault.js";
import type { JsonObject } from "../base/json.js";
import type { JobContext } from "../job/port.js";
import type { WorkloadPolicy } from "../policy/workload.js";
import {
  type Backfill,
  beginBackfill,
  countChildren,
  finishBackfill,
  lockBackfill,
  moveBackfill,
  oldestWaitMs,
  readBackfill,
} from "../store/backfills.js";
import type { Database, Sql } from "../store/database.js";
import { enqueueJobs, type NewJob } from "../store/jobs.js";
import { roomFor } from "./backfill-throttle.js";
import { PAST_PRIORITY } from "./follow-up.js";

export interface ChildrenDeps {
  readonly db: Database;
  readonly policy: () => WorkloadPolicy;
}

export interface Batch {
  readonly children: readonly NewJob[];
  /** The place of the last child. */
  readonly atRepo: string;
  readonly atDay: string | null;
}

export interface ChildPlan {
  readonly begun: Pick<Backfill, "entity" | "firstDay" | "lastDay">;
  /** Of the children: live work of the same kind goes first. */
  readonly kind: string;
  /** How many children are missing; asked once, at the beginning. */
  count(): Promise<number>;
  /** The next children after a place, at most `limit`. Null: there are no more. */
  next(sql: Sql, after: Pick<Backfill, "atRepo" | "atDay">, limit: number): Promise<Batch | null>;
}

/** The next look: children may have ended, live work may be done. */
const VISIT_MS = 5_000;

/** Returns when all children have ended, with their numbers; until then throws waiting Faults `BACKFILL_OPEN`. */
export async function runChildren(
  deps: ChildrenDeps,
  plan: ChildPlan,
  context: JobContext,
): Promise<JsonObject> {
  const { job, signal } = context;
  if ((await readBackfill(deps.db, job.seq)) === null)
    await beginBackfill(deps.db, job.seq, { ...plan.begun, planned: await plan.count() });
  for (;;) {
    signal.throwIfAborted();
    const children = await countChildren(deps.db, job.seq);
    const open = (children.get("pending") ?? 0) + (children.get("running") ?? 0);
    const now = await roomNow(deps, plan.kind, open);
    if ("holds" in now) throw await visitLater(deps.db, now.holds, open, context);
    if (await askForBatch(deps.db, plan, now.room, job.seq)) continue;
    if (open > 0) throw await visitLater(deps.db, `${open} children are open`, open, context);
    return end(deps.db, job.seq, children);
  }
}

async function roomNow({ db, policy }: ChildrenDeps, kind: string, openChildren: number) {
  const liveWaitMs = await oldestWaitMs(db, kind, PAST_PRIORITY);
  return roomFor({ openChildren, liveWaitMs }, policy().backfill);
}

/** False: nothing was left to ask for. */
async function askForBatch(
  db: Database,
  plan: ChildPlan,
  limit: number,
  jobSeq: number,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const batch = await plan.next(tx, await lockBackfill(tx, jobSeq), limit);
    if (batch === null) return false;
    const answers = await enqueueJobs(tx, batch.children);
    // One that another backfill has asked for is that one's child.
    const enqueued = answers.filter(({ created }) => created).length;
    await moveBackfill(tx, jobSeq, { atRepo: batch.atRepo, atDay: batch.atDay, enqueued });
    return true;
  });
}

async function visitLater(
  sql: Sql,
  why: string,
  open: number,
  { job, progress }: JobContext,
): Promise<Fault> {
  const { planned = 0, enqueued = 0 } = (await readBackfill(sql, job.seq)) ?? {};
  const ended = Math.max(0, enqueued - open);
  progress(planned === 0 ? 1 : ended / planned, `${ended} of ${planned} ended, ${open} open`);
  return fault.waiting("BACKFILL_OPEN", `${ended} of ${planned} children have ended: ${why}`, {
    retryAfterMs: VISIT_MS,
  });
}

async function end(
  sql: Sql,
  jobSeq: number,
  children: ReadonlyMap<string, number>,
): Promise<JsonObject> {
  await finishBackfill(sql, jobSeq);
  const { planned = 0, enqueued = 0 } = (await readBackfill(sql, jobSeq)) ?? {};
  const counts = ["completed", "failed", "cancelled", "quarantined"].map((status) => [
    status,
    children.get(status) ?? 0,
  ]);
  return { planned, enqueued, ...Object.fromEntries(counts) };
}
