/** What the kinds of jobs that any system has are asked with */

import type { Static } from "typebox";
import { closed, Type } from "../../base/type.js";
import type { KindSpec } from "../../job/kinds.js";
import { SEVERITIES } from "../../policy/policy.js";
import { EXPORT_ENTITIES } from "../../store/export-rows.js";

/** HB-api-12: `{}` deletes what retention says; a dry run counts it by the same predicate. */
const gcPayload = Type.Object({ dry_run: Type.Optional(Type.Boolean()) }, closed);
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

const exportPayload = Type.Object({ entity: Type.Enum(EXPORT_ENTITIES) }, closed);
export type ExportPayload = Static<typeof exportPayload>;

const auditPayload = Type.Object({}, closed);

const maintenancePayload = Type.Object(
  { task: Type.Optional(Type.Enum(["vacuum", "analyze"])) },
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
