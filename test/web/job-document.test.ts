import { expect, test } from "vitest";
import { toHealingDocument } from "../../src/web/job-document.js";

test("a healing action is shown with exactly the columns of healdec_log (HB-heal-09)", () => {
  const entry = {
    ...{ seq: 123, id: "log-123", jobId: "job-456", workerId: "identity-worker-3" },
    ...({ failureType: "transient", strategy: "retry", attemptNumber: 2, success: true } as const),
    context: { error: "API timeout", backoff_ms: 4_000, next_retry_at: "2026-01-28T10:30:04.000Z" },
    operatorNotified: false,
    createdAt: new Date("2026-01-28T10:30:00.000Z"),
  };
  expect(toHealingDocument(entry)).toEqual({
    id: "log-123",
    job_id: "job-456",
    worker_id: "identity-worker-3",
    failure_type: "transient",
    strategy: "retry",
    attempt_number: 2,
    success: true,
    context: entry.context,
    operator_notified: false,
    created_at: "2026-01-28T10:30:00.000Z",
  });
});
