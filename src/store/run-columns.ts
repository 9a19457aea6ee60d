/** A run as `Run` has it; its row is to be named `run`. */
export const RUN_COLUMNS = `run.seq, run.id, run.runbook, run.params, run.actor, run.role, run.door, run.reason,
  run.dry_run AS "dryRun", run.content_hash AS "contentHash", run.status, run.plan, run.outcome, run.output,
  run.automation, run.incident_id AS "incidentId", run.alert_level AS "alertLevel", run.chat, run.fence,
  run.requested_at AS "requestedAt", run.started_at AS "startedAt", run.ended_at AS "endedAt",
  run.commit_id AS "commit", run.targets, run.person, run.waiting_for AS "waitingFor", run.bound_hash AS "boundHash",
  run.undo_of AS "undoOf", run.undone, run.verified, run.cause_key AS "causeKey", run.cause_depth AS "causeDepth",
  run.is_drill AS "isDrill", run.deadline_at AS "deadlineAt", run.lease_until AS "leaseUntil", run.job_seq AS "jobSeq"`;
