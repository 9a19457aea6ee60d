/**
 * rebuild_indexes (HB-api-07): every index of our schemas, one after the other and without blocking
 * writers. Done means that none is invalid, not that the statements returned.
 */
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { Database, Session } from "../../store/database.js";
import {
  dropLeftoverIndex,
  listIndexes,
  prepareForCare,
  rebuildIndex,
} from "../../store/maintenance.js";

export async function rebuildIndexes(db: Database, context: JobContext): Promise<JsonObject> {
  return db.connect(async (session) => {
    await prepareForCare(session);
    const dropped = await dropLeftovers(session);
    const indexes = await listIndexes(session);
    for (const [at, index] of indexes.entries()) {
      context.signal.throwIfAborted();
      context.log.debug("index.rebuilding", { index: index.qualified, at, of: indexes.length });
      await rebuildIndex(session, index);
    }
    await checkAllValid(session);
    return { rebuilt: indexes.length, leftovers_dropped: dropped };
  });
}

/** An interrupted rebuild leaves a half-built twin behind, which costs every write and serves no read. */
async function dropLeftovers(session: Session): Promise<number> {
  const leftovers = (await listIndexes(session)).filter(({ isLeftover }) => isLeftover);
  for (const index of leftovers) await dropLeftoverIndex(session, index);
  return leftovers.length;
}

async function checkAllValid(session: Session): Promise<void> {
  const invalid = (await listIndexes(session)).filter(({ isValid }) => !isValid);
  if (invalid.length > 0)
    throw fault.transient(
      "INDEX_INVALID",
      `after the rebuild still invalid: ${invalid.map(({ qualified }) => qualified).join(", ")}`,
    );
}
