/**
 * Pull requests for drift, from what a whole look has found: one for each value that nobody stands for, the same one at the
 * next look, and closed when it is no more. Every step finds what an earlier try has left; looks are told one at a time.
 */
import { randomUUID } from "node:crypto";
import { DAY_MS } from "../base/duration.js";
import { Fault } from "../base/fault.js";
import { formatProblem } from "../base/problem.js";
import { parsePolicyPath } from "../policy/path.js";
import type { PolicySet } from "../policy/policy.js";
import type { ProposeChange } from "../review/change-request.js";
import {
  DRIFT_REQUESTER,
  type DriftLook,
  driftReason,
  type EarlierProposal,
  type Proposal,
  type ProposeDrift,
  planProposals,
  type ToldDrift,
  type WantedProposal,
  wantedOf,
} from "../review/infra/drift-proposals.js";
import type { GitHost } from "../review/port.js";
import { appendAudit } from "../store/audit.js";
import { changeOpened } from "../store/config-changes.js";
import type { Database } from "../store/database.js";
import {
  countDriftChanges,
  DRIFT_TOLD,
  type DriftChange,
  driftTarget,
  lastDriftLook,
  listDriftChanges,
} from "../store/drift-changes.js";
import { dropLease, takeLease } from "../store/lease.js";
import { openPullRequestOf, withdrawProposal } from "./withdraw-proposal.js";

export interface ProposeDriftDeps {
  readonly db: Database;
  readonly host: GitHost;
  readonly propose: ProposeChange;
  /** In force now. */
  readonly policy: () => PolicySet;
}

const LEASE = "drift-proposals";
/** Longer than any telling may take: who asks has a deadline below it. */
const LEASE_MS = 60_000;
/** Whoever has the token makes no more than this of them, whatever is told. */
const NEW_A_DAY = 20;
const SENTENCE_MAX = 500;

export function createProposeDrift(deps: ProposeDriftDeps): ProposeDrift {
  return async (look, signal) => {
    const wanted = wantedOf(look.values);
    if (wanted === null) return { outcome: "unknown" };
    const lease = { name: LEASE, holder: randomUUID(), ttlMs: LEASE_MS };
    const taken = await takeLease(deps.db, lease);
    if (taken === null) return { outcome: "busy" };
    try {
      if (!(await noteLook(deps.db, look))) return { outcome: "older" };
      return { outcome: "told", ...(await tell(deps, look, wanted, signal)) };
    } finally {
      await dropLease(deps.db, { ...lease, fence: taken.fence });
    }
  };
}

/** False: a later look has been told. Each telling is audited, also the same one again. */
function noteLook(db: Database, look: DriftLook): Promise<boolean> {
  const { environment, lookedAt, values, held, by } = look;
  return db.transaction(async (tx) => {
    const last = await lastDriftLook(tx, environment);
    if (last !== null && last.getTime() > lookedAt.getTime()) return false;
    const found = values.map(({ address, attribute, value }) => `${address} ${attribute} ${value}`);
    await appendAudit(tx, {
      actor: `${DRIFT_REQUESTER}${by}`,
      action: DRIFT_TOLD,
      target: driftTarget(environment),
      details: { looked_at: lookedAt.toISOString(), values: found, held: held.length },
    });
    return true;
  });
}

async function tell(
  deps: ProposeDriftDeps,
  look: DriftLook,
  wanted: readonly WantedProposal[],
  signal: AbortSignal,
): Promise<ToldDrift> {
  const { db } = deps;
  const rows = await listDriftChanges(db, look.environment);
  const plan = planProposals(wanted, look.held, rows.map(earlierOf));
  const ended: ToldDrift["ended"][number][] = [];
  // First, so that what is no more leaves room.
  for (const { earlier, why } of plan.withdraw) {
    const act = { change: earlier.change, why, by: `${DRIFT_REQUESTER}${look.by}` };
    const done = await withdrawProposal(deps, act, signal);
    if (done !== null) ended.push(done);
  }
  const known = new Map<WantedProposal, Proposal>();
  for (const [one, earlier] of plan.wanted) {
    const found = earlier && (await knownProposal(deps, one, earlier.change, signal));
    if (found !== null) known.set(one, found);
  }
  const room = await roomFor(deps, look.environment);
  const proposals: Proposal[] = [];
  for (const one of wanted)
    proposals.push(known.get(one) ?? (await proposeOne(deps, look, one, room, signal)));
  return { proposals, ended };
}

type Earlier = EarlierProposal & { readonly change: DriftChange };

function earlierOf(change: DriftChange): Earlier {
  const { key, path, value, status } = change;
  const state = status === "open" ? "open" : status === "closed" ? "refused" : "unsure";
  return { key, path, value, state, change };
}

/** Null: nobody has opened one yet. */
async function knownProposal(
  { db, host }: ProposeDriftDeps,
  { path, value }: WantedProposal,
  change: DriftChange,
  signal: AbortSignal,
): Promise<Proposal | null> {
  const { key, number, url, status } = change;
  const named = number === null || url === null ? null : { number, url };
  if (status === "closed" && named !== null) {
    const why = `people have closed #${named.number}: the next apply puts it back`;
    return { path, value, outcome: "refused", pullRequest: named, why };
  }
  const isSure = status === "open" && !change.isWithdrawn;
  const pullRequest = isSure && named !== null ? named : await openPullRequestOf(host, key, signal);
  if (pullRequest === null) return null;
  // Also when it was about to be withdrawn: it is wanted again.
  await changeOpened(db, key, pullRequest);
  return {
    ...{ path, value, outcome: "open", why: null },
    pullRequest: { number: pullRequest.number, url: pullRequest.url },
  };
}

/** How many may still be opened. */
interface Room {
  left: number;
  readonly why: string;
}

async function roomFor({ db, policy }: ProposeDriftDeps, environment: string): Promise<Room> {
  const { proposals } = policy().infrastructure.review.drift;
  const rows = await listDriftChanges(db, environment);
  const open = rows.filter(({ status, isWithdrawn }) => status === "open" && !isWithdrawn).length;
  const today = await countDriftChanges(db, environment, DAY_MS);
  const atOnce = { left: proposals - open, why: `${proposals} are open at most` };
  const aDay = { left: NEW_A_DAY - today, why: `${NEW_A_DAY} are asked for within a day at most` };
  return aDay.left < atOnce.left ? aDay : atOnce;
}

async function proposeOne(
  { propose }: ProposeDriftDeps,
  { environment, lookedAt, by }: DriftLook,
  one: WantedProposal,
  room: Room,
  signal: AbortSignal,
): Promise<Proposal> {
  const none = (why: string): Proposal => ({
    ...{ path: one.path, value: one.value, outcome: "none", pullRequest: null },
    why: why.slice(0, SENTENCE_MAX),
  });
  if (room.left <= 0) return none(room.why);
  const path = parsePolicyPath(one.path);
  if (path === null) return none("no such value is in the policies");
  const changes = [{ path, value: one.value }];
  const reason = driftReason(one, lookedAt);
  const request = { changes, environment, reason, by: `${DRIFT_REQUESTER}${by}` };
  try {
    const done = await propose({ ...request, isForDrift: true }, signal);
    if (done.outcome === "nothing-to-change") return none("the policies say so by now");
    if (done.outcome === "invalid") {
      const [problem] = done.problems;
      return none(problem ? formatProblem(problem) : "the policies would not be valid");
    }
    room.left -= 1;
    const { number, url } = done.pullRequest;
    const outcome = done.outcome === "opened" ? "opened" : "open";
    return { ...none(""), outcome, pullRequest: { number, url }, why: null };
  } catch (error) {
    // What GitHub, or we, refuse for this one says nothing of the others.
    if (error instanceof Fault && error.kind === "refused") return none(sentenceOf(error));
    throw error;
  }
}

function sentenceOf({ message, hint }: Fault): string {
  return hint === undefined ? message : `${message}: ${hint}`;
}
