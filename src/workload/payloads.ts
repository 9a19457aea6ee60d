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
    full: Type.Optional(
      Type.Boolean({
        description: "of an organisation: read every page, also what has not changed",
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
const identityPayload = Type.Object(
  {
    repo_id: rowId("id of a row in repos"),
    full: Type.Optional(
      Type.Boolean({ description: "read the whole history, not only what is new" }),
    ),
  },
  closed,
);
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

/**
 * HB-wrk-06. Without `repo_id`: every repository with a copy on this machine; with `org_name`: what GitHub has
 * of that organisation, and the deliveries that did not arrive.
 */
const syncPayload = Type.Object(
  {
    repo_id: Type.Optional(rowId("id of a row in repos")),
    org_name: Type.Optional(rowId("an organisation or user on GitHub")),
  },
  { ...closed, not: { required: ["repo_id", "org_name"] } },
);
export type SyncPayload = Static<typeof syncPayload>;

const dryRun = Type.Optional(Type.Boolean({ description: "count, and change nothing" }));
const listed = (item: ReturnType<typeof rowId>) =>
  Type.Optional(Type.Array(item, { minItems: 1, maxItems: 100, uniqueItems: true }));

const repairOf = (type: string, properties: Parameters<typeof Type.Object>[0] = {}) =>
  Type.Object({ repair_type: Type.Literal(type), ...properties }, closed);

export type RepairPayload =
  | MergeIdentities
  | { readonly repair_type: "cleanup_orphaned_claims"; readonly dry_run?: boolean }
  | {
      readonly repair_type: "rebuild_indexes";
      readonly dry_run?: boolean;
      readonly only_invalid?: boolean;
    }
  | UndoMerge
  | RestoreClaims
  | ForgetPerson;

export interface MergeIdentities {
  readonly repair_type: "merge_identities";
  readonly identity_ids: readonly string[];
  readonly target_identity_id: string;
  readonly dry_run?: boolean;
}

/** Rows of control.identity_merge. */
export interface UndoMerge {
  readonly repair_type: "undo_merge";
  readonly merge_ids: readonly number[];
  readonly dry_run?: boolean;
}

/** Puts back what a cleanup of orphaned claims took away. */
export interface RestoreClaims {
  readonly repair_type: "restore_claims";
  /** `job-17`: the cleanup. */
  readonly job: string;
  readonly dry_run?: boolean;
}

/** At least one of mails, logins and identity_ids. `request`: the number of the person's own request. */
export interface ForgetPerson {
  readonly repair_type: "forget_person";
  readonly mails?: readonly string[];
  readonly logins?: readonly string[];
  readonly identity_ids?: readonly string[];
  readonly request: string;
  readonly dry_run?: boolean;
}

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
      dry_run: dryRun,
    }),
    repairOf("cleanup_orphaned_claims", { dry_run: dryRun }),
    repairOf("rebuild_indexes", {
      dry_run: dryRun,
      only_invalid: Type.Optional(Type.Boolean({ description: "leave what is valid as it is" })),
    }),
    repairOf("undo_merge", {
      merge_ids: Type.Array(Type.Integer({ minimum: 1, description: "number of a merge" }), {
        minItems: 1,
        maxItems: 1_000,
        uniqueItems: true,
      }),
      dry_run: dryRun,
    }),
    repairOf("restore_claims", {
      job: Type.String({ pattern: "^job-[1-9][0-9]{0,14}$", description: "the cleanup: job-17" }),
      dry_run: dryRun,
    }),
    {
      ...repairOf("forget_person", {
        mails: listed(Type.String({ minLength: 3, maxLength: 320, description: "mail address" })),
        logins: listed(rowId("login on GitHub")),
        identity_ids: listed(rowId("id of a row in identities")),
        request: Type.String({
          minLength: 1,
          maxLength: 200,
          description: "where the request is kept: a ticket's number, never the person's name",
        }),
        dry_run: dryRun,
      }),
      anyOf: [{ required: ["mails"] }, { required: ["logins"] }, { required: ["identity_ids"] }],
    },
  ],
});

/** HB-wrk-11. */
const backfillPayload = Type.Object(
  {
    entity: Type.Enum(["scores", "events"]),
    start_date: day("first day, included: yyyy-mm-dd"),
    end_date: day("last day, included: yyyy-mm-dd"),
    repo_ids: Type.Optional(
      Type.Array(rowId("id of a row in repos"), {
        minItems: 1,
        maxItems: 1_000,
        uniqueItems: true,
        description: "default: all that are not archived",
      }),
    ),
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
