/** Folds rounds of samples into days: what the alerts have looked at becomes what backtests look at. */
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import { errorMessage } from "../../base/fault.js";
import type { Logger } from "../../base/log.js";
import type { Database } from "../../store/database.js";
import { foldFormerDay } from "../../store/former-samples.js";
import { takeLease } from "../../store/lease.js";
import { freeReplacedChunks } from "../../store/sample-chunks.js";
import { foldBlock } from "../../store/sample-rounds.js";
import type { Tick } from "../ticker.js";

const EVERY_MS = 10 * MINUTE_MS;
/** Whole blocks only, so that a day is written twelve times and not a hundred; and only when latecomers are in. */
const BLOCK_MS = 2 * HOUR_MS;
/** The version before reads these rows, should it judge again: of the last days it shall find them. */
const FORMER_KEPT_MS = 3 * DAY_MS;
/** Longer than a block takes, whatever the machine does besides. */
const LEASE = { name: "sample-compactor", ttlMs: 5 * MINUTE_MS };

export function compactSamplesTick(deps: {
  readonly db: Database;
  readonly log: Logger;
  readonly holder: string;
}): Tick {
  return {
    name: "compact-samples",
    everyMs: EVERY_MS,
    run: async (now, signal) => {
      const latest = now.getTime() - BLOCK_MS;
      const before = new Date(latest - (latest % BLOCK_MS));
      const { blocks, rounds, samples } = await foldAll(deps, before, signal);
      const former = blocks === 0 ? await foldFormer(deps, now, signal) : null;
      if (blocks > 0) deps.log.info("samples.compacted", { blocks, rounds, samples });
      if (former) deps.log.info("samples.rows-compacted", former);
      if (blocks > 0 || former) await free(deps);
    },
  };
}

interface Folded {
  readonly blocks: number;
  readonly rounds: number;
  readonly samples: number;
}

/** A block a transaction: after an outage there are many, and each is safe by itself. */
async function foldAll(
  { db, holder }: { readonly db: Database; readonly holder: string },
  before: Date,
  signal: AbortSignal,
): Promise<Folded> {
  let [blocks, rounds, samples] = [0, 0, 0];
  while (!signal.aborted && (await takeLease(db, { ...LEASE, holder }))) {
    const block = await db.transaction((tx) => foldBlock(tx, before));
    if (block === null) break;
    blocks += 1;
    rounds += block.rounds;
    samples += block.samples;
  }
  return { blocks, rounds, samples };
}

/** A partition a run, when there are no rounds to fold. One that is in use is left to the next run. */
async function foldFormer(
  { db, log, holder }: { readonly db: Database; readonly log: Logger; readonly holder: string },
  now: Date,
  signal: AbortSignal,
): Promise<{ partition: string; rows: number } | null> {
  if (signal.aborted || !(await takeLease(db, { ...LEASE, holder }))) return null;
  try {
    return await foldFormerDay(db, new Date(now.getTime() - FORMER_KEPT_MS), signal);
  } catch (error) {
    if (signal.aborted) return null;
    log.warn("samples.rows-left", { error: errorMessage(error) });
    return null;
  }
}

/** What cannot be freed now is freed after the next block; until then the table is larger by a day. */
async function free({ db, log }: { readonly db: Database; readonly log: Logger }): Promise<void> {
  try {
    await freeReplacedChunks(db);
  } catch (error) {
    log.warn("samples.not-freed", { error: errorMessage(error) });
  }
}
