/** Statements of the handbook, letter by letter, that more than one test pastes (HB-sql-04…10, -18…20). */

export const RESET = `UPDATE jobs
SET status = 'pending', attempts = 0, error = NULL, scheduled_at = NOW()
WHERE id = 'job-123';`;
export const RESET_FAILED = `UPDATE jobs
SET status = 'pending', attempts = 0, error = NULL, scheduled_at = NOW()
WHERE job_type = 'index'
  AND status = 'failed'
  AND completed_at > NOW() - INTERVAL '24 hours';`;
export const QUARANTINED = `SELECT id, job_type, payload, error, created_at
FROM jobs
WHERE status = 'quarantined'
ORDER BY created_at DESC
LIMIT 20;`;
export const FIX_PAYLOAD = `UPDATE jobs
SET payload = jsonb_set(payload, '{repo_id}', '"correct-repo-id"'),
    status = 'pending', attempts = 0, error = NULL
WHERE id = 'job-789';`;
export const CANCEL = `UPDATE jobs
SET status = 'cancelled', error = 'Manually cancelled by operator'
WHERE id = 'job-789';`;
export const DEPTH = `SELECT job_type, COUNT(*) FROM jobs
WHERE status = 'pending' GROUP BY job_type ORDER BY COUNT(*) DESC;`;
export const RAISE_INGEST =
  "UPDATE jobs SET priority = 10 WHERE job_type = 'ingest' AND status = 'pending';";
export const LOWER_BACKFILL =
  "UPDATE jobs SET priority = 1 WHERE job_type = 'backfill' AND status = 'pending';";
