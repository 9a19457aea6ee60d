/** Shapes of what the API says of our own alerts (EP-25, EP-26, AM-api-03) and of why they were told or not. */
import { Type } from "../base/type.js";
import { SEVERITIES } from "../policy/policy.js";
import { AnyObject, Nullable, Time } from "./schema.js";

const alert = {
  rule: Type.String(),
  instance: Type.String({ description: "`all` for a rule with one instance" }),
  level: Nullable(Type.String({ description: "AR-…" })),
  severity: Nullable(Type.String({ enum: [...SEVERITIES] })),
  value: Nullable(Type.Number()),
};

export const ActiveAlertsSchema = Type.Object({
  alerts: Type.Array(
    Type.Object({
      ...alert,
      id: Type.String({ description: "GET /api/v1/alerts/:id/explain takes it" }),
      labels: AnyObject,
      phase: Type.String({ enum: ["pending", "firing"] }),
      status: Type.String({ enum: ["pending", "firing", "silenced", "inhibited"] }),
      metric: Type.String(),
      threshold: Nullable(Type.Number({ description: "in the unit of the metric" })),
      message: Type.String(),
      occurredAt: Time,
      since: Time,
      told_at: Nullable(Time),
      silencedBy: Type.Array(Type.String({ description: "ids of silences" })),
      inhibitedBy: Type.Array(Type.String({ description: "names of rules" })),
    }),
  ),
});

export const AlertHistorySchema = Type.Object({
  events: Type.Array(
    Type.Object({ ...alert, id: Type.Integer(), transition: Type.String(), at: Time }),
  ),
});

const LevelSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  severity: Type.String({ enum: [...SEVERITIES] }),
  fires: Type.String({ examples: ["> 1000 for 5m"] }),
  recovers: Nullable(Type.String({ description: "null: one good tick ends it" })),
  phase: Type.String({ enum: ["quiet", "pending", "firing"] }),
  since: Nullable(Time),
  fires_at: Nullable(Time),
  recovering_since: Nullable(Time),
});

const SeriesSchema = Type.Object({
  metric: Type.String(),
  labels: AnyObject,
  samples: Type.Integer(),
  first_at: Nullable(Time),
  last_at: Nullable(Time),
  last: Nullable(Type.Number()),
  widest_gap_ms: Nullable(Type.Number()),
});

const ReceiverSchema = Type.Object({
  receiver: Type.String(),
  told: Type.Boolean({ description: "it knows of this alert, and not yet of its end" }),
  group: Nullable(Type.String()),
  reason: Nullable(Type.String({ description: "of the last decision; stable" })),
  decided_at: Nullable(Time),
  next_at: Nullable(Time),
  sentence: Type.String(),
  lanes: Type.Array(
    Type.Object({
      lane: Type.String({ enum: ["normal", "critical"] }),
      tokens: Type.Number({ description: "messages that it bears at once now" }),
      per_minute_max: Nullable(Type.Integer()),
      storm_since: Nullable(Time),
      waiting: Type.Integer({ description: "entries for its next digest" }),
    }),
  ),
});

export const ExplanationsSchema = Type.Object({
  rule: Type.String(),
  summary: Type.String(),
  every_ms: Type.Integer(),
  measures: Type.String(),
  no_data: Type.String(),
  judged_at: Nullable(Time),
  instances: Type.Integer({ description: "of the rule; at most 20 are explained at once" }),
  alerts: Type.Array(
    Type.Object({
      id: Type.String(),
      instance: Type.String(),
      labels: AnyObject,
      phase: Type.String({ enum: ["quiet", "pending", "firing"] }),
      level: Nullable(Type.String()),
      since: Nullable(Time),
      told_at: Nullable(Time),
      value: Nullable(Type.Number({ description: "computed anew; null: no data" })),
      judged_value: Nullable(Type.Number({ description: "what the last tick that saw one saw" })),
      unit: Type.String(),
      series: Type.Array(SeriesSchema),
      levels: Type.Array(LevelSchema),
      receivers: Type.Array(ReceiverSchema),
      silenced_by: Type.Array(
        Type.Object({
          id: Type.String(),
          owner: Type.String(),
          reason: Type.String(),
          until: Time,
        }),
      ),
      inhibited_by: Type.Array(Type.String()),
      transitions: Type.Array(
        Type.Object({
          transition: Type.String(),
          level: Nullable(Type.String()),
          severity: Nullable(Type.String()),
          value: Nullable(Type.Number()),
          at: Time,
        }),
        { description: "the last 20, newest first" },
      ),
      text: Type.String({ description: "the whole story in lines" }),
    }),
  ),
});
