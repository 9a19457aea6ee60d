/**
 * Shapes of Alertmanager's API, version 2 (github.com/prometheus/alertmanager, api/v2/openapi.yaml, Apache-2.0), with
 * what we say besides: clients of theirs pass over it.
 */
import { Type } from "../base/type.js";
import { AnyObject, Time } from "./schema.js";

const MatcherSchema = Type.Object({
  name: Type.String(),
  value: Type.String(),
  isRegex: Type.Boolean(),
  isEqual: Type.Optional(Type.Boolean({ description: "default: true" })),
});

const silence = {
  matchers: Type.Array(MatcherSchema, { minItems: 1, maxItems: 100 }),
  startsAt: Time,
  endsAt: Time,
  createdBy: Type.String({ description: "whose it is" }),
  comment: Type.String({ description: "why; [pages] in it says that sev1 is held back as well" }),
};

export const PostableSilenceSchema = Type.Object({
  id: Type.Optional(Type.String({ description: "of the silence that it changes" })),
  ...silence,
  silencesPages: Type.Optional(Type.Boolean({ description: "the same as [pages] in the comment" })),
});

export const SilencePostedSchema = Type.Object({ silenceID: Type.String() });

export const GettableSilenceSchema = Type.Object({
  id: Type.String(),
  status: Type.Object({ state: Type.String({ enum: ["expired", "active", "pending"] }) }),
  updatedAt: Time,
  ...silence,
  silencesPages: Type.Boolean(),
  source: Type.String({ enum: ["git", "api"] }),
  name: Type.Optional(Type.String({ description: "in silences.yaml" })),
  matches: Type.Integer({ description: "firing alerts that it hid at once, in the last minutes" }),
  note: Type.Optional(Type.String({ description: "what looks wrong with it" })),
});

const LabelSetSchema = Type.Record(Type.String(), Type.String());

export const ReceiverSchema = Type.Object({ name: Type.String() });

export const GettableAlertSchema = Type.Object({
  annotations: LabelSetSchema,
  receivers: Type.Array(ReceiverSchema),
  fingerprint: Type.String(),
  startsAt: Time,
  updatedAt: Time,
  endsAt: Time,
  status: Type.Object({
    state: Type.String({ enum: ["unprocessed", "active", "suppressed"] }),
    silencedBy: Type.Array(Type.String({ description: "ids of silences" })),
    inhibitedBy: Type.Array(Type.String({ description: "names of rules" })),
  }),
  labels: LabelSetSchema,
  generatorURL: Type.String({ description: "what was measured, and why it was told or not" }),
});

export const StatusSchema = Type.Object({
  cluster: Type.Object({
    status: Type.String({ enum: ["ready", "settling", "disabled"] }),
    peers: Type.Array(AnyObject, { description: "none: processes share one database" }),
  }),
  versionInfo: Type.Object({
    version: Type.String(),
    revision: Type.String(),
    branch: Type.String(),
    buildUser: Type.String(),
    buildDate: Type.String(),
    goVersion: Type.String(),
  }),
  config: Type.Object({ original: Type.String() }),
  uptime: Time,
});

const FilterText = Type.String({ maxLength: 1_500, examples: ['alertname="queue-depth-high"'] });
/** It may be given several times; all must fit. */
const Filter = Type.Optional(
  Type.Union([FilterText, Type.Array(FilterText, { maxItems: 20 })], {
    description: 'matchers such as alertname=~"queue-.*"',
  }),
);
const Flag = Type.Optional(Type.String({ enum: ["true", "false"], description: "default: true" }));

export const SilencesQuerySchema = Type.Object({ filter: Filter });

export const AlertsQuerySchema = Type.Object({
  filter: Filter,
  active: Flag,
  silenced: Flag,
  inhibited: Flag,
  unprocessed: Flag,
  receiver: Type.Optional(
    Type.String({ maxLength: 200, description: "a pattern for names of receivers" }),
  ),
});
