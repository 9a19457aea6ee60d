/**
 * Closes a pull request for drift that is no more, with a comment that says why: only one that the product itself has opened
 * for drift and that nobody else has pushed to. Interrupted anywhere, the next look goes on.
 */
import { changeBranches } from "../review/change-words.js";
import {
  type EndedProposal,
  isOursAlone,
  WITHDRAWN_MARKER,
  withdrawnComment,
} from "../review/infra/drift-proposals.js";
import type { GitHost, PullRequestRef } from "../review/port.js";
import { appendAudit } from "../store/audit.js";
import { changeEnded, changeOpened } from "../store/config-changes.js";
import type { Database } from "../store/database.js";
import { type DriftChange, markDriftChange, withdrawDriftChange } from "../store/drift-changes.js";

export interface Withdrawal {
  readonly change: DriftChange;
  readonly why: string;
  /** Of the audit. */
  readonly by: string;
}

interface WithdrawDeps {
  readonly db: Database;
  readonly host: GitHost;
}

/** Null: there was no pull request to close, because none was opened or people have closed it. */
export async function withdrawProposal(
  { db, host }: WithdrawDeps,
  { change, why, by }: Withdrawal,
  signal: AbortSignal,
): Promise<EndedProposal | null> {
  const { key, path } = change;
  const found = change.status === "closed" ? null : await openPullRequestOf(host, key, signal);
  if (found === null) {
    await noteWithdrawal(db, { change, why, by });
    return null;
  }
  const { number, url } = found;
  const me = await host.whoAmI(signal);
  if (!isOursAlone(await host.listCommits(number, signal), me))
    return { number, url, path, outcome: "left", why: `${why}, but others have pushed to it` };
  // Known before it is closed: whoever hears of the closing must not take it for a refusal of people.
  await changeOpened(db, key, found);
  await noteWithdrawal(db, { change, why, by });
  await commentOnce(host, { number, me, why }, signal);
  const closed = await host.closePullRequest(number, signal);
  const outcome = closed.state === "merged" ? "merged" : "closed";
  await changeEnded(db, url, outcome);
  return { number, url, path, outcome, why };
}

/** The newest branches stand last, and there are none behind one that never had a pull request. */
export async function openPullRequestOf(
  host: GitHost,
  key: string,
  signal: AbortSignal,
): Promise<PullRequestRef | null> {
  for (const branch of changeBranches(key)) {
    const found = await host.findPullRequest(branch, signal);
    if (found === null || found.state === "open") return found;
  }
  return null;
}

function noteWithdrawal(db: Database, { change, why, by }: Withdrawal): Promise<void> {
  return db.transaction(async (tx) => {
    const isNoted =
      (await withdrawDriftChange(tx, change.key, why)) ||
      (await markDriftChange(tx, change.key, why));
    if (!isNoted) return;
    await appendAudit(tx, {
      actor: by,
      action: "change.withdrawn",
      target: `change:${change.key}`,
      details: { why, pull_request: change.number },
    });
  });
}

async function commentOnce(
  host: GitHost,
  { number, me, why }: { readonly number: number; readonly me: string; readonly why: string },
  signal: AbortSignal,
): Promise<void> {
  const comments = await host.listComments(number, signal);
  const isThere = comments.some(
    ({ author, body }) => author === me && body.startsWith(WITHDRAWN_MARKER),
  );
  if (!isThere) await host.createComment(number, withdrawnComment(why), signal);
}
