/** Shapes of what the queue endpoints take and give (EP-08…14). */

import { closed, Type } from "../base/type.js";
import { CLEANABLE, type CleanableStatus } from "../store/clean.js";
import { ALL_QUEUES, type Pause } from "../store/pauses.js";
import { AnyObject, Nullable, Reason, Time } from "./schema.js";

const Duration = (description: string) =>
  Type.String({ maxLength: 20, examples: ["30m"], description });

export const PauseSchema = Type.Object(
  {
    reason: Reason,
    expires_in: Type.Optional(Duration("such as 90s, 30m, 4h, 1d; default 24h, at most 30d")),
  },
  closed,
);

export const PauseAllSchema = Type.Object(
  {
    reason: Reason,
    expires_in: Type.Optional(Duration("such as 30m; default 1h, at most 24h")),
  },
  closed,
);

export const ResumeAllSchema = Nullable(
  Type.Object(
    {
      each: Type.Optional(
        Type.Boolean({ description: "also end the pauses of single queues; default false" }),
      ),
    },
    closed,
  ),
);

export const PauseFacts = Type.Object({
  of: Type.String({ enum: ["queue", "all"], description: "of this queue, or of all" }),
  reason: Type.String(),
  paused_by: Type.String(),
  paused_at: Time,
  expires_at: Nullable(Time),
});

export function toPauseDocument(pause: Pause) {
  return {
    of: pause.kind === ALL_QUEUES ? "all" : "queue",
    reason: pause.reason,
    paused_by: pause.pausedBy,
    paused_at: pause.pausedAt.toISOString(),
    expires_at: pause.expiresAt?.toISOString() ?? null,
  };
}

export const QueueStatsSchema = Type.Object({
  queues: Type.Array(
    Type.Object({
      name: Type.String(),
      waiting: Type.Integer(),
      active: Type.Integer(),
      completed: Type.Integer(),
      failed: Type.Integer({ description: "failed and quarantined" }),
      total: Type.Integer(),
      due: Type.Integer({ description: "of the waiting, those that might start now" }),
      oldest_due_ms: Type.Number({ description: "how long the oldest of them has been due" }),
      pause: Nullable(PauseFacts),
    }),
  ),
});

export const PauseStateSchema = Type.Object({
  name: Type.String(),
  paused: Type.Boolean(),
  reason: Type.Optional(Type.String()),
  expires_at: Type.Optional(Nullable(Time)),
  changed: Type.Optional(Type.Boolean({ description: "false when it was not paused" })),
});

export const PauseAllStateSchema = Type.Object({
  names: Type.Array(Type.String(), { description: "queues that stopped, or that run again" }),
  paused: Type.Boolean(),
  reason: Type.Optional(Type.String()),
  expires_at: Type.Optional(Time),
  still_paused: Type.Optional(
    Type.Array(AnyObject, { description: "queues with a pause of their own, which stands" }),
  ),
});

export const CleanSchema = Nullable(
  Type.Object(
    {
      status: Type.Optional(
        Type.Unsafe<CleanableStatus>({
          type: "string",
          enum: [...CLEANABLE],
          description: "default failed",
        }),
      ),
      grace: Type.Optional(Duration("only jobs that ended longer ago; default 24h")),
      dry_run: Type.Optional(Type.Boolean({ description: "only count; default false" })),
    },
    closed,
  ),
);

export const CleanedSchema = Type.Object({
  status: Type.String(),
  before: Time,
  dry_run: Type.Boolean(),
  removed: Type.Integer({ description: "jobs removed, or that would be" }),
  counts: AnyObject,
  done: Type.Boolean({ description: "false when more are left: ask again" }),
});
