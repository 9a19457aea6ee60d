/**
 * What AlgoBrain's own kinds of jobs are asked with. Every door checks these, and the worker once more:
 * an operator's plain SQL passes no door.
 */

import type { Static } from "typebox";
import { closed, Type } from "../base/type.js";
import type { KindSpec } from "../job/kinds.js";

const rowId = (description: string) => Type.String({ minLength: 1, maxLength: 200, description });
const day = (description: string) =>
  Type.String({ pattern: "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", description });

/** An organisation (HB-api-03), or a folder of Git repositories on this machine. */
const indexPayload = Type.Object(
  {
    org_id: Type.Optional(rowId("id of the organisation on GitHub")),
    org_name: Type.Optional(rowId("its name on GitHub")),
    path: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: "absolute path of a Git repository, or of a folder of repositories",
      }),
    ),
  },
  // `not`: a payload with both would leave open which of the two was meant.
  {
    ...closed,
    oneOf: [
      {
        required: ["path"],
        not: { anyOf: [{ required: ["org_id"] }, { required: ["org_name"] }] },
      },
      { required: ["org_id", "org_name"], not: { required: ["path"] } },
    ],
  },
);
export type IndexPayload = Static<typeof indexPayload>;

/** HB-wrk-03. */
const identityPayload = Type.Object({ repo_id: rowId("id of a row in repos") }, closed);
export type IdentityPayload = Static<typeof identityPayload>;

/** HB-wrk-04. Without `as_of`, the score speaks of the day on which the job was created. */
const scorePayload = Type.Object(
  {
    repo_id: rowId("id of a row in repos"),
    as_of: Type.Optional(day("the day, UTC, that the score speaks of: yyyy-mm-dd")),
  },
  closed,
);
export type ScorePayload = Static<typeof scorePayload>;

/** HB-wrk-05: a delivery that the webhook door has stored. */
const ingestPayload = Type.Object(
  { delivery_id: rowId("X-GitHub-Delivery of a stored delivery") },
  closed,
);
export type IngestPayload = Static<typeof ingestPayload>;

/** HB-wrk-06. Without `repo_id`: every repository with a copy on this machine. */
const syncPayload = Type.Object({ repo_id: Type.Optional(rowId("id of a row in repos")) }, closed);
export type SyncPayload = Static<typeof syncPayload>;

const repairOf = (type: string, properties: Parameters<typeof Type.Object>[0] = {}) =>
  Type.Object({ repair_type: Type.Literal(type), ...properties }, closed);

export type RepairPayload =
  | {
      readonly repair_type: "merge_identities";
      readonly identity_ids: readonly string[];
      readonly target_identity_id: string;
    }
  | { readonly repair_type: "cleanup_orphaned_claims" }
  | { readonly repair_type: "rebuild_indexes" };

/** HB-wrk-10. */
const repairPayload = Type.Unsafe<RepairPayload>({
  type: "object",
  required: ["repair_type"],
  discriminator: { propertyName: "repair_type" },
  oneOf: [
    repairOf("merge_identities", {
      identity_ids: Type.Array(rowId("identity that is merged"), {
        minItems: 1,
        maxItems: 1_000,
        uniqueItems: true,
      }),
      target_identity_id: rowId("identity that stays"),
    }),
    repairOf("cleanup_orphaned_claims"),
    repairOf("rebuild_indexes"),
  ],
});

/** HB-wrk-11. */
const backfillPayload = Type.Object(
  {
    entity: Type.Enum(["scores"]),
    start_date: day("first day, included: yyyy-mm-dd"),
    end_date: day("last day, included: yyyy-mm-dd"),
  },
  closed,
);
export type BackfillPayload = Static<typeof backfillPayload>;

/** The kinds that only AlgoBrain has; those of any system are in runtime/handler/system-kinds. */
export const WORKLOAD_KINDS: readonly KindSpec[] = [
  { kind: "index", lane: "general", payload: indexPayload },
  { kind: "identity", lane: "general", payload: identityPayload },
  { kind: "score", lane: "general", payload: scorePayload },
  { kind: "ingest", lane: "general", payload: ingestPayload },
  { kind: "sync", lane: "general", payload: syncPayload },
  { kind: "repair", lane: "general", payload: repairPayload },
  { kind: "backfill", lane: "general", payload: backfillPayload },
];
