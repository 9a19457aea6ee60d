/**
 * Acting on all jobs that match a filter: counted first, confirmed, spread over time. Pure: the
 * statements are in store/job-bulk.
 */
import { createHash } from "node:crypto";
import { canonicalJson, type JsonObject } from "../base/json.js";
import { JOB_STATUSES, type JobStatus } from "./job.js";
import { type MoveName, mayMove } from "./transition.js";

export const BULK_ACTIONS = ["retry", "cancel"] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];

/** The moves of the single acts: a running job is not retried in bulk either. */
const MOVE_OF = { retry: "requeue", cancel: "cancel" } as const satisfies Record<
  BulkAction,
  MoveName
>;

/** Statuses in which a job is moved; in the others it is left alone and counted. */
export function statusesFor(action: BulkAction): JobStatus[] {
  return JOB_STATUSES.filter((status) => mayMove(MOVE_OF[action], status));
}

const SPACING_MAX_MS = 100;
const SPREAD_MAX_MS = 600_000;

/** Milliseconds between two retries: over the window asked for, else 100, but the last within ten minutes. */
export function spacingMs(count: number, windowMs: number | undefined): number {
  const jobs = Math.max(count, 1);
  return windowMs === undefined ? Math.min(SPACING_MAX_MS, SPREAD_MAX_MS / jobs) : windowMs / jobs;
}

/** What a person saw and said yes to. */
export interface Confirmed {
  /** Jobs at most. */
  readonly count: number;
  /** Those numbered later were not there to be counted. */
  readonly upToSeq: number;
}

/** An act as it was asked for: another one needs another count. */
export interface BulkAsked {
  readonly action: BulkAction;
  /** As it stood in the request. */
  readonly filter: JsonObject;
}

/** `120-5678-<digest>`. It keeps an act to what was counted; it is no secret and no permission. */
export function confirmToken(asked: BulkAsked, { count, upToSeq }: Confirmed): string {
  const text = canonicalJson({ action: asked.action, filter: asked.filter, count, upToSeq });
  const digest = createHash("sha256").update(text).digest("hex");
  return `${count}-${upToSeq}-${digest.slice(0, 16)}`;
}

/** Null when the token was made for another act or filter. */
export function readConfirmToken(token: string, asked: BulkAsked): Confirmed | null {
  const [count = Number.NaN, upToSeq = Number.NaN] = token.split("-", 2).map(Number);
  const confirmed = { count, upToSeq };
  return confirmToken(asked, confirmed) === token ? confirmed : null;
}
