/**
 * Builds anew, without blocking writers, the indexes of `jobs` that have become far larger than their entries
 * need: vacuum empties pages of an index, but never makes it smaller.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { errorMessage } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { Session } from "../../store/database.js";
import {
  careForTable,
  dropLeftoverIndex,
  listIndexes,
  rebuildIndex,
} from "../../store/maintenance.js";
import {
  INDEX_FLOOR_BYTES,
  type IndexSize,
  readIndexSizes,
  type SnapshotHolder,
} from "../../store/table-health.js";

export interface BloatLimits {
  /** An index this many times as large as it need be is built anew. */
  readonly factor: number;
  /** Needs below this count as this much. */
  readonly floorBytes: number;
}

const TABLE = "public.jobs";
const LIMITS: BloatLimits = { factor: 4, floorBytes: INDEX_FLOOR_BYTES };
/** A rebuild waits for every older transaction: with one this old it would wait in vain, and leave a half-built twin. */
const SNAPSHOT_MAX_MS = MINUTE_MS;

/** `holder` is the oldest snapshot that stands, if any. */
export async function rebuildBloated(
  session: Session,
  context: JobContext,
  holder: SnapshotHolder | null,
  limits = LIMITS,
): Promise<JsonObject> {
  const dropped = await dropLeftovers(session, context);
  if ((await findBloated(session, limits)).length === 0)
    return { indexes: [], leftovers_dropped: dropped };
  // What was counted at the last vacuum may be long gone, or have grown since.
  await tryTo(`analyze of ${TABLE}`, context, () => careForTable(session, TABLE, "analyze"));
  const bloated = await findBloated(session, limits);
  const isHeld = holder !== null && (holder.heldMs ?? 0) > SNAPSHOT_MAX_MS;
  const indexes: JsonObject[] = [];
  for (const index of bloated) {
    context.signal.throwIfAborted();
    const left = isHeld ? "an old snapshot is held" : await tryToRebuild(session, index, context);
    indexes.push({ ...toReport(index), ...(left === null ? {} : { left_undone: left }) });
  }
  return { indexes, leftovers_dropped: dropped };
}

async function findBloated(session: Session, limits: BloatLimits): Promise<IndexSize[]> {
  const sizes = await readIndexSizes(session, TABLE);
  return sizes.filter(
    ({ bytes, neededBytes }) => bytes > limits.factor * Math.max(neededBytes, limits.floorBytes),
  );
}

/** Half-built twins of interrupted rebuilds cost every write and serve no read. One that is being built is locked, and stays. */
async function dropLeftovers(session: Session, context: JobContext): Promise<number> {
  let dropped = 0;
  for (const index of (await listIndexes(session)).filter(({ isLeftover }) => isLeftover)) {
    const left = await tryTo(`drop of ${index.qualified}`, context, () =>
      dropLeftoverIndex(session, index),
    );
    if (left === null) dropped++;
  }
  return dropped;
}

function tryToRebuild(session: Session, index: IndexSize, context: JobContext) {
  context.log.info("index.rebuilding", { index: index.qualified, bytes: index.bytes });
  return tryTo(`rebuild of ${index.qualified}`, context, () => rebuildIndex(session, index));
}

/** Why it could not be done; null when it was. */
async function tryTo(
  what: string,
  { log }: JobContext,
  act: () => Promise<void>,
): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    log.warn("maintenance.left-undone", { what, error: errorMessage(error) });
    return errorMessage(error);
  }
}

function toReport({ qualified, bytes, neededBytes }: IndexSize): JsonObject {
  return { index: qualified, bytes, needed_bytes: Math.round(neededBytes) };
}
