/** A run as the API shows it. */
import type { Static } from "typebox";
import { Type } from "../base/type.js";
import { RUN_STATUSES, type Run, type RunLine, type StepRecord } from "../runbook/run.js";
import type { KeptApproval } from "../store/approval-requests.js";
import type { LockHolder } from "../store/target-locks.js";
import { AnyObject, Nullable, Time } from "./schema.js";

export const RunSchema = Type.Object({
  id: Type.String({ examples: ["run-7"] }),
  runbook: Type.String(),
  params: AnyObject,
  actor: Type.String(),
  person: Nullable(Type.String({ description: "who of access.yaml asked" })),
  door: Type.String(),
  reason: Nullable(Type.String()),
  dry_run: Type.Boolean(),
  drill: Type.Boolean(),
  status: Type.String({ enum: [...RUN_STATUSES] }),
  waiting_for: Nullable(Type.String({ description: "approval: until enough people agree" })),
  outcome: Nullable(Type.String()),
  verified: Nullable(Type.Boolean()),
  undo_of: Nullable(Type.String()),
  undone: Nullable(Type.String({ description: "complete or failed" })),
  targets: Type.Array(Type.String({ description: "what no other run may touch meanwhile" })),
  automation: Nullable(Type.String()),
  incident_id: Nullable(Type.String()),
  requested_at: Time,
  started_at: Nullable(Time),
  ended_at: Nullable(Time),
});

export function toRunDocument(run: Run): Static<typeof RunSchema> {
  return {
    id: run.id,
    runbook: run.runbook,
    params: run.params,
    actor: run.actor,
    person: run.person,
    door: run.door,
    reason: run.reason,
    dry_run: run.dryRun,
    drill: run.isDrill,
    status: run.status,
    waiting_for: run.waitingFor,
    outcome: run.outcome,
    verified: run.verified,
    undo_of: run.undoOf === null ? null : `run-${run.undoOf}`,
    undone: run.undone,
    targets: [...run.targets],
    automation: run.automation,
    incident_id: run.incidentId,
    requested_at: run.requestedAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    ended_at: run.endedAt?.toISOString() ?? null,
  };
}

/** What people are asked; never the nonce, which belongs to the button. */
const ApprovalSchema = Type.Object({
  bound_hash: Type.String({ description: "of what would be done: send it with your decision" }),
  needed: Type.Integer(),
  role: Type.String({ description: "at least" }),
  team: Nullable(Type.String()),
  requester: Type.String({ description: "who cannot agree" }),
  authors: Type.Array(Type.String(), { description: "who wrote it: not enough without others" }),
  author_unknown: Nullable(Type.String({ description: "why two people must agree" })),
  agreed: Type.Array(Type.String()),
  expires_at: Time,
  outcome: Nullable(Type.String()),
});

export function toApprovalDocument(asked: KeptApproval): Static<typeof ApprovalSchema> {
  const agreed = asked.votes.filter(({ decision }) => decision === "approve");
  return {
    bound_hash: asked.boundHash,
    needed: asked.needed,
    role: asked.role,
    team: asked.team,
    requester: asked.requester,
    authors: [...asked.authors],
    author_unknown: asked.authorUnknown,
    agreed: agreed.map(({ person }) => person),
    expires_at: asked.expiresAt.toISOString(),
    outcome: asked.outcome,
  };
}

const StepSchema = Type.Object({
  phase: Type.String(),
  ordinal: Type.Integer(),
  name: Type.String(),
  status: Type.String(),
  output: Type.String(),
  error: Nullable(Type.String()),
});

export function toStepDocument(step: StepRecord): Static<typeof StepSchema> {
  const { phase, ordinal, name, status, output, error } = step;
  return { phase, ordinal, name, status, output, error };
}

const LineSchema = Type.Object({
  line_no: Type.Integer(),
  at: Time,
  phase: Type.String(),
  ordinal: Type.Integer(),
  stream: Type.String({ description: "say, cmd, out or err" }),
  text: Type.String({ description: "decoded, redacted, capped" }),
});

export function toLineDocument(line: RunLine): Static<typeof LineSchema> {
  const { lineNo, at, phase, ordinal, stream, text } = line;
  return { line_no: lineNo, at: at.toISOString(), phase, ordinal, stream, text };
}

export const LockSchema = Type.Object({
  target: Type.String({ examples: ["queue-index"] }),
  run: Type.String(),
  runbook: Type.String(),
  actor: Type.String(),
  held_since: Time,
  held_ms: Type.Integer(),
  lease_left_ms: Type.Integer({ description: "until it is free if its executor died now" }),
});

export const RunWithStepsSchema = Type.Object({
  ...RunSchema.properties,
  plan: Type.Unknown(),
  approval: Nullable(ApprovalSchema),
  held_up_by: Nullable(LockSchema),
  steps: Type.Array(StepSchema),
  lines: Type.Array(LineSchema, { description: "the first 1000 after lines_after" }),
});

export function toLockDocument(lock: LockHolder): Static<typeof LockSchema> {
  return {
    target: lock.target,
    run: lock.runId,
    runbook: lock.runbook,
    actor: lock.actor,
    held_since: lock.heldSince.toISOString(),
    held_ms: lock.heldForMs,
    lease_left_ms: lock.leaseLeftMs,
  };
}
