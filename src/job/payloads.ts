/**
 * What the payload of each kind looks like: one schema for every door (API, command line, schedules)
 * and for the worker, which checks again because an operator's plain SQL passes no door.
 */
import { type Static, Type } from "typebox";
import type { KindSpec } from "./kinds.js";

const closed = { additionalProperties: false } as const;
const name = (description: string) => Type.String({ minLength: 1, maxLength: 512, description });
const rowId = (description: string) => Type.Integer({ minimum: 1, description });
/** yyyy-mm-dd (HB-wrk-11). */
const day = (description: string) =>
  Type.String({
    pattern: "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$",
    description,
  });

/** An organisation on GitHub (HB-api-03) or a folder of Git repositories on this machine. */
export const indexPayload = Type.Object(
  {
    org_id: Type.Optional(name("organisation id")),
    org_name: Type.Optional(name("organisation name as its host knows it")),
    path: Type.Optional(name("absolute path of a repository, or of a folder of repositories")),
  },
  { ...closed, anyOf: [{ required: ["path"] }, { required: ["org_id"] }] },
);
export type IndexPayload = Static<typeof indexPayload>;

/** identity, score and sync work on one repository (HB-wrk-03, -04, -06). */
export const repoPayload = Type.Object({ repo_id: name("id of a row in repos") }, closed);
export type RepoPayload = Static<typeof repoPayload>;

/** A GitHub delivery that the webhook door has stored. */
export const ingestPayload = Type.Object(
  { inbound_id: rowId("id of a row in control.inbound") },
  closed,
);
export type IngestPayload = Static<typeof ingestPayload>;

/** HB-api-12: an empty payload deletes what retention allows; a dry run only counts. */
export const gcPayload = Type.Object({ dry_run: Type.Optional(Type.Boolean()) }, closed);
export type GcPayload = Static<typeof gcPayload>;

/** A word to people, sent through the outbox (HB-wrk-08). */
export const alertPayload = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200 }),
    text: Type.Optional(Type.String({ maxLength: 4_000 })),
    severity: Type.Optional(
      Type.Union([
        Type.Literal("sev1"),
        Type.Literal("sev2"),
        Type.Literal("sev3"),
        Type.Literal("sev4"),
      ]),
    ),
    receivers: Type.Optional(Type.Array(name("receiver in routes.yaml"), { maxItems: 20 })),
  },
  closed,
);
export type AlertPayload = Static<typeof alertPayload>;

export const EXPORT_ENTITIES = [
  "repos",
  "identities",
  "claims",
  "scores",
  "events",
  "jobs",
  "healdec_log",
  "audit_log",
] as const;
/** Rows of one table to the exports bucket or folder. */
export const exportPayload = Type.Object({ entity: Type.Enum(EXPORT_ENTITIES) }, closed);
export type ExportPayload = Static<typeof exportPayload>;

/** Checks the hash chain of the audit log; from the start unless told. */
export const auditPayload = Type.Object(
  { from_seq: Type.Optional(rowId("first entry to check")) },
  closed,
);
export type AuditPayload = Static<typeof auditPayload>;

const repairOf = (type: string, properties: Parameters<typeof Type.Object>[0] = {}) =>
  Type.Object({ repair_type: Type.Literal(type), ...properties }, closed);

export type RepairPayload =
  | { repair_type: "merge_identities"; identity_ids: string[]; target_identity_id: string }
  | { repair_type: "cleanup_orphaned_claims" }
  | { repair_type: "rebuild_indexes" };
/** HB-wrk-10. */
export const repairPayload = Type.Unsafe<RepairPayload>({
  type: "object",
  required: ["repair_type"],
  discriminator: { propertyName: "repair_type" },
  oneOf: [
    repairOf("merge_identities", {
      identity_ids: Type.Array(name("identity to merge"), { minItems: 1, maxItems: 1_000 }),
      target_identity_id: name("identity that stays"),
    }),
    repairOf("cleanup_orphaned_claims"),
    repairOf("rebuild_indexes"),
  ],
});

/** HB-wrk-11. */
export const backfillPayload = Type.Object(
  {
    entity: Type.Enum(["scores", "identities", "events"]),
    start_date: day("first day, included"),
    end_date: day("last day, included"),
  },
  closed,
);
export type BackfillPayload = Static<typeof backfillPayload>;

/** Statistics of the planner and dead rows of our tables. */
export const maintenancePayload = Type.Object(
  { task: Type.Optional(Type.Enum(["analyze", "vacuum"])) },
  closed,
);
export type MaintenancePayload = Static<typeof maintenancePayload>;

export const runbookPayload = Type.Object(
  { run_id: Type.String({ pattern: "^run-[1-9][0-9]*$" }) },
  closed,
);
export type RunbookPayload = Static<typeof runbookPayload>;

export const noticePayload = Type.Object(
  { notice_id: rowId("id of a row in control.notice") },
  closed,
);
export type NoticePayload = Static<typeof noticePayload>;

export const inboundPayload = Type.Object(
  { inbound_id: rowId("id of a row in control.inbound") },
  closed,
);
export type InboundPayload = Static<typeof inboundPayload>;

const PUBLIC_PAYLOADS = {
  index: indexPayload,
  identity: repoPayload,
  score: repoPayload,
  ingest: ingestPayload,
  sync: repoPayload,
  gc: gcPayload,
  alert: alertPayload,
  export: exportPayload,
  audit: auditPayload,
  repair: repairPayload,
  backfill: backfillPayload,
  maintenance: maintenancePayload,
};
const INTERNAL_PAYLOADS = {
  runbook: runbookPayload,
  notice: noticePayload,
  inbound: inboundPayload,
};

/** The kinds of the product, for `new KindRegistry(JOB_KINDS)`. */
export const JOB_KINDS: readonly KindSpec[] = [
  ...Object.entries(PUBLIC_PAYLOADS).map(
    ([kind, payload]): KindSpec => ({ kind, lane: "public", payload }),
  ),
  ...Object.entries(INTERNAL_PAYLOADS).map(
    ([kind, payload]): KindSpec => ({ kind, lane: "internal", payload }),
  ),
];
