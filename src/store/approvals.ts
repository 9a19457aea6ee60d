/**
 * Votes of people on a run that asks them. Every vote of every door goes through `castVote`, which judges by what
 * stands in the row; every refusal is in the audit with its reason.
 */
import type { JsonObject } from "../base/json.js";
import type { Access, Person } from "../policy/policy.js";
import {
  type Decision,
  judgeVote,
  type VoteReason,
  type VoteVerdict,
  votesThatStand,
} from "../runbook/approval.js";
import { type Claim, findPerson, nameOf } from "../runbook/identity.js";
import type { RunbookRegistry } from "../runbook/registry.js";
import {
  endRequest,
  type KeptApproval,
  type LockedRun,
  readApproval,
  refuseRun,
  releaseRun,
} from "./approval-requests.js";
import { appendAudit } from "./audit.js";
import type { Database, Sql } from "./database.js";
import { tellRun } from "./run-telling.js";
import { readRun } from "./runs.js";

export interface Ballot {
  /** As the door has proven it. */
  readonly claim: Claim;
  readonly runId: string;
  /** Of the button; null: typed or sent without one. */
  readonly nonce: string | null;
  /** Of the plan that was shown; null: that of the nonce, or the only one there ever was. */
  readonly boundHash: string | null;
  readonly decision: Decision;
  /** What the voter says to it. */
  readonly reason?: string | undefined;
  /** For the words of the message in chat; absent: they leave out whether it can be undone. */
  readonly registry?: RunbookRegistry | undefined;
  /** In force now: a role that was taken away no longer votes. */
  readonly access: Access;
}

export interface Cast extends VoteVerdict {
  readonly person: string | null;
}

/** One transaction: of two clicks in the same moment the second sees what the first came to. */
export async function castVote(db: Database, ballot: Ballot): Promise<Cast> {
  return db.transaction((tx) => castVoteWithin(tx, ballot));
}

/** The same inside the caller's transaction. */
export async function castVoteWithin(tx: Sql, ballot: Ballot): Promise<Cast> {
  const person = findPerson(ballot.access, ballot.claim);
  const { rows } = await tx.query<LockedRun>(
    "SELECT seq, id, actor FROM control.run WHERE id = $1 FOR UPDATE",
    [ballot.runId],
  );
  const run = rows[0];
  const verdict = run ? await count(tx, run, person, ballot) : unknownRun(ballot);
  if (!verdict.accepted) await auditRefusal(tx, ballot, person, verdict);
  return { ...verdict, person: person?.name ?? null };
}

async function count(
  tx: Sql,
  run: LockedRun,
  person: Person | null,
  ballot: Ballot,
): Promise<VoteVerdict> {
  const request = await readApproval(tx, run.seq);
  if (!request) return refused("not-asked", `${run.id} asks nobody: there is nothing to approve`);
  const misdirected = await findMisdirection(tx, request, ballot);
  if (misdirected) return misdirected;
  const { claim, decision, access, boundHash } = ballot;
  const vote = { person, door: claim.door, decision, boundHash: boundHash ?? request.boundHash };
  const standing = votesThatStand(request, request.votes, access);
  const verdict = judgeVote(request, standing, vote, request.now);
  if (!verdict.accepted || person === null) return verdict;
  await keepVote(tx, run, request, person, ballot);
  await act(tx, run, person, verdict, ballot);
  return verdict;
}

/** A vote that is not for what stands there now. */
async function findMisdirection(
  tx: Sql,
  request: KeptApproval,
  { nonce, boundHash, decision }: Ballot,
): Promise<VoteVerdict | null> {
  const { runId } = request;
  if (nonce !== null && nonce !== request.nonce)
    return refused(
      "wrong-nonce",
      `this button belongs to an earlier plan of ${runId}, or to none: use that of its newest message`,
    );
  if (decision === "deny") return null;
  const { rows } = await tx.query<{ stoppedBy: string | null; voided: boolean }>(
    `SELECT (SELECT coalesce(by, 'somebody') FROM control.stop_switch WHERE active) AS "stoppedBy",
       EXISTS (SELECT FROM public.audit_log WHERE target = $1 AND action = 'approval.voided') AS voided`,
    [runId],
  );
  const { stoppedBy, voided } = rows[0]!;
  if (stoppedBy !== null)
    return refused(
      "stopped",
      `${stoppedBy} stopped all runs: ${runId} is approved after the stop is lifted`,
    );
  // Typed words do not say which of the plans their author has read.
  if (voided && nonce === null && boundHash === null)
    return refused(
      "plan-changed",
      `the plan of ${runId} has changed since it was first shown: use the button of its newest message, or send the bound hash that you saw`,
    );
  return null;
}

async function keepVote(
  tx: Sql,
  run: LockedRun,
  request: KeptApproval,
  person: Person,
  { claim, decision }: Ballot,
): Promise<void> {
  await tx.query(
    `INSERT INTO control.approval (run_seq, nonce, bound_hash, person, decision, door, identity)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (run_seq, nonce, person) DO UPDATE SET decision = excluded.decision, door = excluded.door,
       identity = excluded.identity, at = now()`,
    [run.seq, request.nonce, request.boundHash, person.name, decision, claim.door, nameOf(claim)],
  );
}

/** What a vote that counts brings about. */
async function act(
  tx: Sql,
  run: LockedRun,
  person: Person,
  verdict: VoteVerdict,
  ballot: Ballot,
): Promise<void> {
  const why = ballot.reason === undefined ? "" : `: ${ballot.reason}`;
  if (verdict.reason === "approved" && (await endRequest(tx, run.seq, "approved")))
    await releaseRun(tx, run);
  if (verdict.reason === "denied" && (await endRequest(tx, run.seq, "denied")))
    await refuseRun(tx, run, `denied by ${person.name}${why}`);
  // How many are still needed; what an approval or a denial comes to, the run's own job tells.
  if (verdict.reason === "counted") await tellCounted(tx, ballot);
  await appendAudit(tx, {
    actor: person.name,
    action: ballot.decision === "approve" ? "approval.given" : "approval.denied",
    target: run.id,
    details: {
      identity: nameOf(ballot.claim),
      outcome: verdict.reason,
      votes: verdict.votes,
      ...(ballot.reason === undefined ? {} : { reason: ballot.reason }),
    },
  });
}

async function tellCounted(tx: Sql, { runId, registry }: Ballot): Promise<void> {
  const run = await readRun(tx, runId);
  if (run) await tellRun(tx, run, { runbook: registry?.find(run.runbook)?.runbook ?? null });
}

function unknownRun({ runId }: Ballot): VoteVerdict {
  const shown = JSON.stringify(runId.slice(0, 40));
  return refused("unknown-run", `there is no run ${shown}; ids read run-123`);
}

function refused(reason: VoteReason, sentence: string): VoteVerdict {
  return { accepted: false, reason, sentence, votes: 0 };
}

async function auditRefusal(
  tx: Sql,
  { claim, runId, decision }: Ballot,
  person: Person | null,
  { reason, sentence }: VoteVerdict,
): Promise<void> {
  const details: JsonObject = { reason, sentence, decision, identity: nameOf(claim).slice(0, 200) };
  await appendAudit(tx, {
    actor: person?.name ?? nameOf(claim).slice(0, 200),
    action: "approval.refused",
    target: runId.slice(0, 40),
    details,
  });
}
