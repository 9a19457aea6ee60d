/**
 * rebuild_indexes (HB-api-07): every index of our schemas, or only the invalid ones, one after the other and without
 * blocking writers. Done means that none is invalid, not that the statements returned.
 */
import { MINUTE_MS } from "../../base/duration.js";
import { fault } from "../../base/fault.js";
import type { JsonObject } from "../../base/json.js";
import type { JobContext } from "../../job/port.js";
import type { Database, Session } from "../../store/database.js";
import {
  dropLeftoverIndex,
  type IndexName,
  listIndexes,
  prepareForCare,
  rebuildIndex,
} from "../../store/maintenance.js";
import { findOldTransaction } from "../../store/old-transactions.js";
import type { RepairPayload } from "../payloads.js";

type RebuildIndexes = Extract<RepairPayload, { repair_type: "rebuild_indexes" }>;

/** A rebuild waits for every older transaction: with one of this age it would stand still, half built. */
const OLD_TRANSACTION_SECONDS = 60;

/** Throws transient faults `INDEX_REBUILD_WAITS` before it begins, and `INDEX_INVALID` when one stayed so. */
export async function rebuildIndexes(
  db: Database,
  { dry_run = false, only_invalid = false }: RebuildIndexes,
  context: JobContext,
): Promise<JsonObject> {
  return db.connect(async (session) => {
    await prepareForCare(session);
    const { leftovers, chosen } = choose(await listIndexes(session), only_invalid);
    const counts = { rebuilt: chosen.length, leftovers_dropped: leftovers.length };
    if (dry_run) return { dry_run, ...counts };
    await refuseOldTransaction(session);
    for (const index of leftovers) await dropLeftoverIndex(session, index);
    await rebuildAll(session, chosen, context);
    await checkAllValid(session);
    return counts;
  });
}

/** An interrupted rebuild leaves a half-built twin behind, which costs every write and serves no read. */
function choose(all: readonly IndexName[], onlyInvalid: boolean) {
  const leftovers = all.filter(({ isLeftover }) => isLeftover);
  const chosen = all.filter(({ isLeftover, isValid }) => !isLeftover && !(onlyInvalid && isValid));
  return { leftovers, chosen };
}

async function rebuildAll(
  session: Session,
  indexes: readonly IndexName[],
  { signal, progress }: JobContext,
): Promise<void> {
  for (const [at, index] of indexes.entries()) {
    signal.throwIfAborted();
    progress(at / indexes.length, `rebuilding ${index.qualified}, ${at} of ${indexes.length} done`);
    await rebuildIndex(session, index);
  }
}

async function refuseOldTransaction(session: Session): Promise<void> {
  const old = await findOldTransaction(session, OLD_TRANSACTION_SECONDS);
  if (old === null) return;
  throw fault.transient(
    "INDEX_REBUILD_WAITS",
    `the rebuild would wait for a transaction of ${old.application} (process ${old.pid}), open for ${old.seconds} s`,
    {
      hint: "end that transaction if it hangs; the job tries again in a minute",
      retryAfterMs: MINUTE_MS,
    },
  );
}

async function checkAllValid(session: Session): Promise<void> {
  const invalid = (await listIndexes(session)).filter(({ isValid }) => !isValid);
  if (invalid.length > 0)
    throw fault.transient(
      "INDEX_INVALID",
      `after the rebuild still invalid: ${invalid.map(({ qualified }) => qualified).join(", ")}`,
    );
}
