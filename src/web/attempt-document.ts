/** Attempts at a job as the API shows them, in the columns of `control.job_attempt` (BQ-wrk-04). */
import { Type } from "../base/type.js";
import type { Attempt } from "../store/job-attempts.js";

const Time = Type.String({ format: "date-time" });
const NullableTime = Type.Union([Time, Type.Null()]);
const NullableText = Type.Union([Type.String(), Type.Null()]);

export const AttemptSchema = Type.Object({
  attempt: Type.Integer({ description: "counts from 1 again after a retry by a person" }),
  worker_id: Type.String({ examples: ["index-worker-3"] }),
  outcome: Type.String({
    enum: ["running", "completed", "failed", "waiting", "released", "lost", "unknown"],
    description: "unknown: its worker died, or lost its database, before it could say",
  }),
  started_at: NullableTime,
  ended_at: NullableTime,
  error: Type.Union([
    Type.Object({ code: Type.String(), message: Type.String(), trace: NullableText }),
    Type.Null(),
  ]),
  progress: Type.Union([
    Type.Object({ fraction: Type.Number({ minimum: 0, maximum: 1 }), note: NullableText }),
    Type.Null(),
  ]),
  lines: Type.Array(
    Type.Object({
      at: Time,
      level: Type.String({ enum: ["info", "warn", "error"] }),
      message: Type.String(),
    }),
    { description: "what it logged, oldest first" },
  ),
  lines_left_out: Type.Integer({ description: "more than an attempt may keep" }),
});

export function toAttemptDocument(attempt: Attempt) {
  const { progress, note } = attempt;
  return {
    attempt: attempt.attempt,
    worker_id: attempt.workerId,
    outcome: attempt.outcome,
    started_at: attempt.startedAt?.toISOString() ?? null,
    ended_at: attempt.endedAt?.toISOString() ?? null,
    error: attempt.error,
    progress: progress === null ? null : { fraction: progress, note },
    lines: attempt.lines.map(({ at, ...line }) => ({ at: at.toISOString(), ...line })),
    lines_left_out: attempt.linesLeftOut,
  };
}
