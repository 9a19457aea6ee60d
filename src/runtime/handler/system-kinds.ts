/** What the kinds of jobs that any system has are asked with */

import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import type { KindSpec } from "../../job/kinds.js";
import { SEVERITIES } from "../../policy/policy.js";
import { EXPORT_ENTITIES } from "../../store/export-rows.js";
import { RETAINED_ENTITIES } from "../../store/retained-entities.js";

/**
 * HB-api-12: `{}` deletes what retention says; a dry run counts it by the same predicate, and a later run may name
 * that dry run: it then deletes what was counted there, and no more.
 */
const gcPayload = Type.Object(
  {
    dry_run: Type.Optional(
      Type.Boolean({
        description: "count, and change nothing; with a preview: what of it is still due",
      }),
    ),
    preview: Type.Optional(
      Type.String({ pattern: "^job-[1-9][0-9]{0,14}$", description: "the dry run: job-17" }),
    ),
    entities: Type.Optional(
      Type.Array(Type.Enum([...RETAINED_ENTITIES]), {
        minItems: 1,
        uniqueItems: true,
        description: "default: all",
      }),
    ),
  },
  closed,
);
export type GcPayload = Static<typeof gcPayload>;

/** HB-wrk-08: a word to people, to see that it arrives. */
const alertPayload = Type.Object(
  {
    title: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    text: Type.Optional(Type.String({ maxLength: 4_000 })),
    severity: Type.Optional(Type.Enum([...SEVERITIES])),
    receivers: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        minItems: 1,
        maxItems: 20,
        uniqueItems: true,
        description: "names in routes.yaml; default: those for words to the operator",
      }),
    ),
  },
  closed,
);
export type AlertPayload = Static<typeof alertPayload>;

const moment = (description: string) =>
  Type.Optional(
    Type.String({
      pattern:
        "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?Z)?$",
      description: `${description}: 2026-01-31 or 2026-01-31T18:00:00Z, UTC`,
    }),
  );

/** Rows by the time they were written; `to` by default the bucket, if one is configured. */
const exportPayload = Type.Object(
  {
    entity: Type.Enum(EXPORT_ENTITIES),
    format: Type.Optional(Type.Enum(["ndjson", "csv"])),
    since: moment("rows written at or after this time"),
    until: moment("rows written before this time"),
    to: Type.Optional(Type.Enum(["directory", "s3"])),
  },
  closed,
);
export type ExportPayload = Static<typeof exportPayload>;

const auditPayload = Type.Object({}, closed);

const maintenancePayload = Type.Object(
  {
    task: Type.Optional(
      Type.Enum(["vacuum", "analyze", "partitions", "report", "backup", "restore-test"]),
    ),
  },
  closed,
);
export type MaintenancePayload = Static<typeof maintenancePayload>;

export const SYSTEM_KINDS: readonly KindSpec[] = [
  { kind: "gc", lane: "general", payload: gcPayload },
  { kind: "alert", lane: "general", payload: alertPayload },
  { kind: "export", lane: "general", payload: exportPayload },
  { kind: "audit", lane: "general", payload: auditPayload },
  { kind: "maintenance", lane: "general", payload: maintenancePayload },
];
