/** Folds what got no message of its own: at once, then at most once a minute, and says when it is over. */
import {
  countAlerts,
  digestDetails,
  digestMessage,
  digestOverMessage,
  digestSeverity,
} from "../../alert/digest-message.js";
import { STORM_CALM_MS } from "../../alert/storm.js";
import { MINUTE_MS } from "../../base/duration.js";
import { countStanding } from "../../store/alert-groups.js";
import type { Sql } from "../../store/database.js";
import {
  closeDigest,
  type DigestEntry,
  insertDigestEntries,
  readOpenParts,
  sumDigests,
} from "../../store/digests.js";
import { enqueueNotice, type NewNotice, nextNoticeId } from "../../store/notices.js";
import type { StoredLane } from "../../store/receiver-lanes.js";
import type { Found } from "./found.js";
import { isStormy, type Lanes } from "./lanes.js";

/** Writes the entries down, and the digests whose time has come. Answers the notices that were made. */
export async function foldDigests(
  tx: Sql,
  found: Found,
  lanes: Lanes,
  entries: readonly DigestEntry[],
): Promise<NewNotice[]> {
  await insertDigestEntries(tx, entries);
  const names = new Map(
    [...lanes.unsettled(), ...entries.map((it) => lanes.get(it.receiver, it.lane))].map(
      (lane) => [`${lane.receiver}\n${lane.lane}`, lane] as const,
    ),
  );
  const made: NewNotice[] = [];
  for (const lane of names.values()) {
    const notice = (await fold(tx, found, lane)) ?? (await end(tx, found, lane));
    if (!notice) continue;
    await enqueueNotice(tx, notice);
    if (notice.reason === "digest") await closeOpen(tx, lane, notice);
    lanes.noteDigest(lane, notice.reason === "digest" ? found.now.getTime() : null);
    made.push(notice);
  }
  return made;
}

type Digest = NewNotice & { readonly lastId: number };

/** Null: there is nothing to fold, or the receiver had a digest less than a minute ago. */
async function fold(tx: Sql, found: Found, lane: StoredLane): Promise<Digest | null> {
  if (lane.digestAt !== null && found.now.getTime() < lane.digestAt + MINUTE_MS) return null;
  const parts = await readOpenParts(tx, lane);
  if (parts.length === 0) return null;
  const noticeId = await nextNoticeId(tx);
  const { namedMax } = found.policy.monitoring.storm;
  const news = { parts, isStorm: isStormy(lane.state), namedMax, noticeId };
  return {
    ...headOf(found, lane),
    id: noticeId,
    action: "trigger",
    severity: digestSeverity(parts),
    alerts: countAlerts(parts),
    message: digestMessage(news),
    details: digestDetails(news),
    reason: "digest",
    lastId: Math.max(...parts.map(({ lastId }) => lastId)),
  };
}

async function closeOpen(tx: Sql, lane: StoredLane, notice: NewNotice): Promise<void> {
  const { id, lastId } = notice as Digest & { readonly id: number };
  await closeDigest(tx, { receiver: lane.receiver, lane: lane.lane, lastId, noticeId: id });
}

/** The digests are over: nothing was folded for two minutes, and no storm goes on. */
async function end(tx: Sql, found: Found, lane: StoredLane): Promise<NewNotice | null> {
  const { digestAt, state, receiver } = lane;
  const isOver = digestAt !== null && found.now.getTime() >= digestAt + STORM_CALM_MS;
  if (!isOver || isStormy(state)) return null;
  const head = headOf(found, lane);
  const sum = await sumDigests(tx, head);
  const standing = await countStanding(tx, receiver);
  return {
    ...head,
    action: "resolve",
    // In the lane of what it ends.
    severity: lane.lane === "critical" ? "sev1" : "sev3",
    alerts: sum.alerts,
    message: digestOverMessage({ ...sum, standing }),
    details: { ...sum, standing },
    reason: "digest-over",
  };
}

/** One key a lane: the digests of one storm are one incident abroad. */
function headOf({ policy }: Found, { receiver, lane }: StoredLane) {
  const groupKey = `digest/${receiver}/${lane}`;
  const source = `${policy.system}/digest`;
  return { receiver, groupKey, dedupKey: `${policy.system}/${groupKey}`, source };
}
