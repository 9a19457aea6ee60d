/**
 * What a gc may delete. It is counted first and held to that count: rows that nobody was shown are not deleted
 * without a word (docs/decisions/0061-previews-bind-gc.md).
 */
import { DAY_MS, MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { PolicySet } from "../../policy/policy.js";
import type { Database, Sql } from "../../store/database.js";
import { type PreviewedEntity, readGcPreview, saveGcPreview } from "../../store/gc-previews.js";
import type { RetainedEntity } from "../../store/retained-entities.js";
import { countExpired } from "../../store/retention.js";
import { expiriesOf } from "../expiry.js";
import { listFilesBefore } from "./exports-folder.js";
import type { GcPayload } from "./system-kinds.js";

export type GcEntity = RetainedEntity | "export_files";

export interface GcDue {
  readonly entity: GcEntity;
  readonly before: Date;
  /** Rows, or files; of samples, samples. */
  readonly rows: number;
}

export interface GcPlan {
  /** The job whose count binds it, such as `job-17`. */
  readonly preview: string;
  readonly due: readonly GcDue[];
}

export interface GcPlanDeps {
  readonly db: Database;
  readonly policy: () => PolicySet;
  readonly exportsDir: string;
}

export interface GcAsk {
  readonly jobSeq: number;
  readonly wish: GcPayload;
  readonly now: Date;
}

/** Whatever the share: this much comes and goes while people look. */
const SLACK_ROWS = 1_000;
/** A count of what a year without gc has left, not a statement of live work. */
const COUNT_MAX_MS = 10 * MINUTE_MS;

/** The most that may go of what was counted. @param margin share, 0.1 is a tenth */
export function mostOf(previewed: number, margin: number): number {
  return Math.floor(previewed * (1 + margin)) + SLACK_ROWS;
}

/**
 * The plan of a job: that of the preview it names, else its own, counted now or by an attempt of it that was
 * interrupted. Throws refused Faults `GC_PREVIEW_UNKNOWN` and `GC_MORE_THAN_PREVIEWED`.
 */
export async function planGc(deps: GcPlanDeps, ask: GcAsk): Promise<GcPlan> {
  const { preview } = ask.wish;
  const named = preview === undefined ? null : Number(preview.slice("job-".length));
  const known = await readGcPreview(deps.db, named ?? ask.jobSeq);
  if (named !== null) requirePreviewed(preview!, known, ask.wish.entities ?? []);
  const isDryRun = ask.wish.dry_run === true;
  const due = await dueBy(deps, ask, named === null && isDryRun ? [] : known);
  if (known.length > 0 && !isDryRun) await refuseMore(deps, due);
  return { preview: preview ?? `job-${ask.jobSeq}`, due };
}

/** What is known already, in a dry run counted anew; nothing known: what is due now, on record from then on. */
async function dueBy(
  deps: GcPlanDeps,
  ask: GcAsk,
  known: readonly PreviewedEntity[],
): Promise<GcDue[]> {
  if (known.length === 0) return previewNow(deps, ask);
  const due = dueOf(deps, ask, known);
  return ask.wish.dry_run === true ? countDue(deps, due) : due;
}

async function previewNow(deps: GcPlanDeps, ask: GcAsk): Promise<GcDue[]> {
  const due = await countDue(deps, expiries(deps, ask));
  await deps.db.transaction((tx) => saveGcPreview(tx, ask.jobSeq, due));
  return due;
}

/** Never what the policy in force would keep: where that changed since, the older of the two times counts. */
function dueOf(deps: GcPlanDeps, ask: GcAsk, known: readonly PreviewedEntity[]): GcDue[] {
  const previewed = new Map(known.map((one) => [one.entity, one]));
  return expiries(deps, ask).flatMap(({ entity, before }): GcDue[] => {
    const then = previewed.get(entity);
    if (then === undefined) return [];
    return [{ entity, rows: then.rows, before: then.before < before ? then.before : before }];
  });
}

interface Aged {
  readonly entity: GcEntity;
  readonly before: Date;
}

function expiries(deps: GcPlanDeps, { wish, now }: GcAsk): Aged[] {
  const { retention } = deps.policy();
  const exportsBefore = new Date(now.getTime() - retention.exportsDays * DAY_MS);
  const rows = expiriesOf(retention, now).map(([entity, before]): Aged => ({ entity, before }));
  const all: Aged[] = [...rows, { entity: "export_files", before: exportsBefore }];
  const entities: readonly string[] | undefined = wish.entities;
  return entities === undefined ? all : all.filter(({ entity }) => entities.includes(entity));
}

async function refuseMore(deps: GcPlanDeps, due: readonly GcDue[]): Promise<void> {
  const margin = deps.policy().adoption.retentionMargin;
  for (const [i, { rows }] of (await countDue(deps, due)).entries())
    if (rows > mostOf(due[i]!.rows, margin)) throw moreThanPreviewed(due[i]!, { due: rows });
}

/** In a session of its own, which may take its time. */
function countDue(deps: GcPlanDeps, wanted: readonly Aged[]): Promise<GcDue[]> {
  return deps.db.connect(async (session) => {
    await session.query(`SET statement_timeout = ${COUNT_MAX_MS}`);
    const due: GcDue[] = [];
    for (const { entity, before } of wanted)
      due.push({ entity, before, rows: await countOf(deps, session, entity, before) });
    return due;
  });
}

async function countOf(
  { exportsDir }: GcPlanDeps,
  sql: Sql,
  entity: GcEntity,
  before: Date,
): Promise<number> {
  if (entity === "export_files") return (await listFilesBefore(exportsDir, before)).length;
  return countExpired(sql, entity, before);
}

/** @param found how many are due now, and how many are gone already */
export function moreThanPreviewed(
  { entity, rows: previewed }: GcDue,
  { due, gone = 0 }: { readonly due: number; readonly gone?: number },
) {
  const what = gone === 0 ? `${due} are due now` : `${gone} are gone and ${due} more are due`;
  return fault.refused(
    "GC_MORE_THAN_PREVIEWED",
    `${entity}: ${previewed} rows were previewed, ${what}`,
    {
      hint: 'look at what came in, then preview anew: a gc job with {"dry_run": true}',
      details: { entity, previewed, due, gone },
    },
  );
}

function requirePreviewed(
  preview: string,
  known: readonly PreviewedEntity[],
  entities: readonly string[],
): void {
  const previewed = new Set(known.map(({ entity }) => entity));
  const missing = entities.filter((entity) => !previewed.has(entity));
  if (known.length > 0 && missing.length === 0) return;
  const what = known.length === 0 ? "nothing" : `no ${missing.join(", no ")}`;
  throw fault.refused("GC_PREVIEW_UNKNOWN", `${preview} previewed ${what} that is on record`, {
    hint: 'name a gc job that ran with {"dry_run": true}',
  });
}
