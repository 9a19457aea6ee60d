/** Shapes of what the API takes and gives, for the checks and for OpenAPI. Names are the handbook's columns. */

import type { JsonObject } from "../base/json.js";
import { closed, Type } from "../base/type.js";
import { JOB_STATUSES } from "../job/job.js";
import { PUBLIC_KINDS } from "../job/kinds.js";
import { AttemptSchema } from "./attempt-document.js";
import { JOB_FILTER, JobIdText } from "./job-filter.js";

export const Time = Type.String({ format: "date-time" });
export const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);
export const AnyObject = Type.Unsafe<JsonObject>({ type: "object", additionalProperties: true });

/** Small enough for one statement and one screen. */
const PAGE_MAX = 200;
export const Limit = Type.Integer({ minimum: 1, maximum: PAGE_MAX, description: "rows at most" });
export const PAGE_DEFAULT = 50;

export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: "stable; all are listed in docs/errors.md" }),
    detail: Type.String(),
    instance: Type.String(),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() }, closed)),
    ),
  },
  closed,
);

export const NewJobSchema = Type.Object(
  {
    job_type: Type.String({ minLength: 1, maxLength: 64, examples: [...PUBLIC_KINDS] }),
    payload: AnyObject,
    priority: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10, description: "10 is high, 1 is low (HB-db-07)" }),
    ),
    scheduled_at: Type.Optional(
      Type.String({ maxLength: 40, description: "not before this time, ISO 8601 with a zone" }),
    ),
  },
  closed,
);

export const JobSchema = Type.Object({
  id: Type.String({ examples: ["job-123"] }),
  job_type: Type.String(),
  payload: AnyObject,
  status: Type.String({ enum: [...JOB_STATUSES] }),
  priority: Type.Integer(),
  attempts: Type.Integer(),
  error: Nullable(Type.String()),
  result: Type.Unknown(),
  scheduled_at: Time,
  created_at: Time,
  started_at: Nullable(Time),
  completed_at: Nullable(Time),
  worker_id: Nullable(Type.String()),
  requested_by: Nullable(Type.String()),
  parent: Nullable(Type.String({ description: "the job that made it" })),
  unique_key: Nullable(Type.String()),
});

export const JobWithHistorySchema = Type.Object({
  ...JobSchema.properties,
  history: Type.Object({
    healing: Type.Array(AnyObject, { description: "rows of healdec_log, oldest first" }),
    audit: Type.Array(AnyObject, { description: "who changed it, oldest first" }),
    attempts: Type.Array(AttemptSchema, { description: "newest first; `attempts` counts them" }),
  }),
});

export const JobPageSchema = Type.Object({
  jobs: Type.Array(JobSchema),
  next: Nullable(Type.String({ description: "give it as `before` for the page of older ones" })),
  prev: Nullable(Type.String({ description: "give it as `after` for the page of newer ones" })),
});

export const JobQuerySchema = Type.Object(
  {
    ...JOB_FILTER,
    limit: Type.Optional(Limit),
    before: Type.Optional({ ...JobIdText, description: "only older ones" }),
    after: Type.Optional({ ...JobIdText, description: "only newer ones, those next to it first" }),
  },
  closed,
);

export const Reason = Type.String({ minLength: 1, maxLength: 500 });

export const RetrySchema = Nullable(
  Type.Object({ reason: Type.Optional(Reason), force: Type.Optional(Type.Boolean()) }, closed),
);
export const CancelSchema = Nullable(Type.Object({ reason: Type.Optional(Reason) }, closed));
export const LeaveSafeModeSchema = Type.Object(
  { reason: Reason, force: Type.Optional(Type.Boolean()) },
  closed,
);
export const SafeModeLeftSchema = Type.Object({
  active: Type.Boolean(),
  changed: Type.Boolean({ description: "false when it was not on" }),
});
export const LimitQuerySchema = Type.Object({ limit: Type.Optional(Limit) }, closed);
