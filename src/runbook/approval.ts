/**
 * May this vote count, and what does it come to? The one decision for button, API and time-out alike, pure over
 * what stands in the row: distinct people, never who asked, not who wrote it alone, late is no, and bound to what
 * people were shown.
 */
import { createHash } from "node:crypto";
import { formatAge } from "../base/duration.js";
import { canonicalJson, type JsonObject } from "../base/json.js";
import { type Access, type Door, isAtLeast, type Person, type Role } from "../policy/policy.js";
import { areAllAuthors } from "./authors.js";
import type { Plan } from "./define.js";
import type { Claim } from "./identity.js";

/** What people are asked to agree to, with the rule that held when they were asked. */
export interface ApprovalRequest {
  readonly runId: string;
  /** Its name. */
  readonly runbook: string;
  readonly boundHash: string;
  /** Distinct people. */
  readonly needed: number;
  readonly role: Role;
  /** Null: of any team. */
  readonly team: string | null;
  /** The person; for an automatic run the automation. */
  readonly requester: string;
  /** Who wrote the last change of the runbook: they count, and are not enough. Empty when a person asked. */
  readonly authors: readonly string[];
  readonly expiresAt: Date;
  /** Null: still open. */
  readonly outcome: string | null;
}

export type Decision = "approve" | "deny";

/** Of the request's present nonce alone. */
export interface Vote {
  readonly person: string;
  readonly decision: Decision;
}

export interface NewVote {
  /** Null: the door could not map its claim. */
  readonly person: Person | null;
  readonly door: Door | Claim["door"];
  readonly decision: Decision;
  /** Of the plan that the voter was shown. */
  readonly boundHash: string;
}

export type VoteReason =
  /** More people are needed. */
  | "counted"
  | "approved"
  | "denied"
  | "already-voted"
  | "requester"
  | "not-an-approver"
  | "unknown-person"
  | "expired"
  | "plan-changed"
  /** The request has ended. */
  | "over"
  | "door-not-allowed"
  /** A button of an earlier request, or of none. */
  | "wrong-nonce"
  | "unknown-run"
  /** The run asks nobody. */
  | "not-asked"
  | "stopped";

export interface VoteVerdict {
  readonly accepted: boolean;
  readonly reason: VoteReason;
  /** For the voter. */
  readonly sentence: string;
  /** How many people agree, this vote included. */
  readonly votes: number;
}

/**
 * Doors that know a person by more than a name that anybody could type: a terminal's user is a claim, and
 * services agree to nothing.
 */
const VOTING_DOORS: readonly NewVote["door"][] = ["slack", "api"];

export function judgeVote(
  request: ApprovalRequest,
  votes: readonly Vote[],
  vote: NewVote,
  now: Date,
): VoteVerdict {
  const refused = findRefusal(request, votes, vote, now);
  const approvals = votes.filter(({ decision }) => decision === "approve").map(voterOf);
  if (refused) return { accepted: false, ...refused, votes: approvals.length };
  if (vote.decision === "deny") {
    const sentence = `${request.runId} is denied by ${vote.person?.name}: nothing was done`;
    return { accepted: true, reason: "denied", sentence, votes: approvals.length };
  }
  return countApprovals(request, [...approvals, vote.person?.name ?? ""]);
}

function voterOf({ person }: Vote): string {
  return person;
}

type Refusal = Pick<VoteVerdict, "reason" | "sentence">;

/** The first thing that stands against it; in the order in which it helps to know. */
function findRefusal(
  request: ApprovalRequest,
  votes: readonly Vote[],
  { person, door, decision, boundHash }: NewVote,
  now: Date,
): Refusal | null {
  const { runId } = request;
  const no = (reason: VoteReason, sentence: string): Refusal => ({ reason, sentence });
  if (!VOTING_DOORS.includes(door))
    return no(
      "door-not-allowed",
      `${runId} is not approved or denied through ${door}: use its button in Slack, or POST /api/v1/runs/${runId}/approve`,
    );
  if (person === null)
    return no(
      "unknown-person",
      `your account is nobody in access.yaml, so your word on ${runId} does not count: ask for an entry there`,
    );
  if (request.outcome !== null)
    return no("over", `it is over: the request to approve ${runId} was ${request.outcome}`);
  if (now.getTime() >= request.expiresAt.getTime())
    return no(
      "expired",
      `the time to approve ${runId} ended ${formatAge(now.getTime() - request.expiresAt.getTime())} ago, which means no: ask for it again`,
    );
  if (boundHash !== request.boundHash)
    return no(
      "plan-changed",
      `the plan of ${runId} is no longer the one you saw: look at the present one and decide anew`,
    );
  if (person.name === request.requester)
    return no(
      "requester",
      decision === "approve"
        ? `you asked for ${runId} yourself: somebody else must agree`
        : `you asked for ${runId} yourself: cancel it instead`,
    );
  if (!mayApprove(request, person))
    return no(
      "not-an-approver",
      `${runId} is decided by ${describeApprovers(request)}, and ${person.name} is ${person.role}${teamsOf(person)}`,
    );
  // Who agreed may still find that it is wrong.
  if (votes.some((earlier) => earlier.person === person.name && earlier.decision === decision))
    return no(
      "already-voted",
      `your word on ${runId} has been counted: one more is needed from somebody else`,
    );
  return null;
}

/** Whether the rule that held when the run was asked for lets this person decide. */
function mayApprove(request: Pick<ApprovalRequest, "role" | "team">, person: Person): boolean {
  return (
    isAtLeast(person.role, request.role) &&
    (request.team === null || (person.teams ?? []).includes(request.team))
  );
}

/** `an operator of team payments`. */
function describeApprovers({ role, team }: Pick<ApprovalRequest, "role" | "team">): string {
  const who = role === "viewer" ? `a ${role}` : `an ${role}`;
  return team === null ? `${who} or higher` : `${who} or higher of team ${team}`;
}

function teamsOf({ teams = [] }: Person): string {
  return teams.length === 0 ? "" : ` of ${teams.join(", ")}`;
}

/**
 * Votes of those who could cast them still: whose account or role was taken away meanwhile no longer agrees. A
 * denial is not among them, because it ends the request at once.
 */
export function votesThatStand(
  request: ApprovalRequest,
  votes: readonly Vote[],
  access: Access,
): readonly Vote[] {
  return votes.filter(({ person }) => {
    const known = access.people.find(({ name }) => name === person);
    return known !== undefined && mayApprove(request, known);
  });
}

function countApprovals(request: ApprovalRequest, people: readonly string[]): VoteVerdict {
  const { runId, runbook, needed, authors } = request;
  const votes = people.length;
  const missing = needed - votes;
  if (missing <= 1 && areAllAuthors(people, authors))
    return {
      accepted: true,
      reason: "counted",
      sentence: `you wrote the last change of ${runbook}: one more person must approve ${runId}`,
      votes,
    };
  if (missing > 0)
    return {
      accepted: true,
      reason: "counted",
      sentence: `${votes} of ${needed} agree to ${runId}: ${missing} more ${missing === 1 ? "person is" : "people are"} needed`,
      votes,
    };
  return {
    accepted: true,
    reason: "approved",
    sentence: `${runId} is approved by ${people.join(" and ")}: it starts now`,
    votes,
  };
}

/**
 * sha256 hex of canonical JSON of all that people agree to: another commit, parameter, target or change is another
 * thing. Of the plan it takes what would be done (changes and facts) and not the words about what was found: those
 * hold ages and counts that move each second, and an approval that never lasts is one that people learn to click.
 */
export function boundHash(parts: {
  readonly commit: string | null;
  readonly runbook: string;
  readonly contentHash: string;
  readonly params: JsonObject;
  readonly plan: Plan;
  readonly targets: readonly string[];
}): string {
  const { commit, runbook, contentHash, params, plan } = parts;
  const targets = [...parts.targets].sort();
  const { changes, facts = {} } = plan;
  const bound = { commit, runbook, contentHash, params, changes, facts, targets };
  return createHash("sha256").update(canonicalJson(bound)).digest("hex");
}
