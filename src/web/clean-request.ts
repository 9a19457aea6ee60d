/** Removing finished jobs of one queue or of all: the same reading, the same answer (EP-11, EP-14). */

import type { Static } from "typebox";
import { DAY_MS } from "../base/duration.js";
import { type CleanCounts, cleanJobs, countCleanable } from "../store/clean.js";
import type { WebDeps } from "./deps.js";
import type { CleanedSchema, CleanSchema } from "./queue-schema.js";
import { budgetOf } from "./request-budget.js";
import { readDuration } from "./time.js";

/** BQ-wrk-05. */
const GRACE_DEFAULT_MS = DAY_MS;
const GRACE = { pointer: "/grace", maxMs: 3_650 * DAY_MS, max: "3650d" } as const;

export async function clean(
  { db, clock }: WebDeps,
  body: Static<typeof CleanSchema>,
  where: { readonly kinds: readonly string[]; readonly target: string; readonly actor: string },
): Promise<Static<typeof CleanedSchema>> {
  const { status = "failed", grace, dry_run: dryRun = false } = body ?? {};
  const graceMs = grace === undefined ? GRACE_DEFAULT_MS : readDuration(grace, GRACE);
  const before = new Date(clock.now().getTime() - graceMs);
  const scope = { ...where, status, before };
  const { counts, done } = dryRun
    ? { counts: await countCleanable(db, scope), done: true }
    : await cleanJobs(db, { ...scope, isOver: budgetOf(clock) });
  const answer = { status, before: before.toISOString(), dry_run: dryRun };
  return { ...answer, removed: sumOf(counts), counts, done };
}

function sumOf(counts: CleanCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
