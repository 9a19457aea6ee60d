/** Bundles and the policy in force as the API shows them. */
import type { Static } from "typebox";
import { Type } from "../base/type.js";
import { BUNDLE_STATUSES, type StoredBundle } from "../store/policy-bundles.js";
import type { PolicyState } from "../store/policy-state.js";
import { Nullable, Time } from "./schema.js";

const Text = Type.String();
const Whole = Type.Integer();

export const BundleSchema = Type.Object({
  revision: Type.Integer({ description: "signed; it only grows" }),
  digest: Text,
  commit: Nullable(Text),
  schema_version: Whole,
  source: Type.String({ examples: ["s3://bucket/key", "api"] }),
  status: Type.String({ enum: [...BUNDLE_STATUSES] }),
  reason: Nullable(Text),
  findings: Type.Unknown(),
  published_at: Time,
  decided_at: Nullable(Time),
  released_by: Nullable(Text),
  release_reason: Nullable(Text),
  in_force: Nullable(Whole),
});

export const BundleWithEnvelopeSchema = Type.Object({
  ...BundleSchema.properties,
  envelope: Type.Unknown(),
});

export const PolicyStateSchema = Type.Object({
  in_force: Nullable(
    Type.Object({
      revision: Whole,
      digest: Text,
      bundle_revision: Nullable(Whole),
      commit: Nullable(Text),
      source: Text,
      since: Time,
      rolled_back_from: Nullable(Whole),
    }),
  ),
  published: Nullable(BundleSchema),
  held: Type.Array(BundleSchema),
  waiting: Type.Array(BundleSchema),
  failed: Type.Array(BundleSchema, { description: "refused or rolled back since" }),
  refused: Type.Array(
    Type.Object({
      at: Time,
      source: Text,
      refusal: Text,
      sentence: Text,
      revision: Nullable(Type.Number({ description: "as the object says: nobody vouches for it" })),
      digest: Nullable(Text),
    }),
    { description: "found since, and not believed" },
  ),
  processes: Type.Array(
    Type.Object({
      process: Text,
      role: Text,
      revision: Whole,
      digest: Text,
      seen_at: Time,
    }),
  ),
});

export function toBundleDocument(bundle: StoredBundle): Static<typeof BundleSchema> {
  return {
    revision: bundle.revision,
    digest: bundle.digest,
    commit: bundle.commit,
    schema_version: bundle.schemaVersion,
    source: bundle.source,
    status: bundle.status,
    reason: bundle.reason,
    findings: bundle.findings,
    published_at: bundle.publishedAt.toISOString(),
    decided_at: bundle.decidedAt?.toISOString() ?? null,
    released_by: bundle.releasedBy,
    release_reason: bundle.releaseReason,
    in_force: bundle.inForce,
  };
}

export function toPolicyDocument(state: PolicyState): Static<typeof PolicyStateSchema> {
  const { published, inForce } = state;
  return {
    in_force: inForce && {
      revision: inForce.revision,
      digest: inForce.digest,
      bundle_revision: inForce.bundleRevision,
      commit: inForce.commit,
      source: inForce.source,
      since: inForce.since.toISOString(),
      rolled_back_from: inForce.rolledBackFrom,
    },
    published: published && toBundleDocument(published),
    held: state.held.map(toBundleDocument),
    waiting: state.waiting.map(toBundleDocument),
    failed: state.failed.map(toBundleDocument),
    refused: state.refused.map(({ at, ...said }) => ({ at: at.toISOString(), ...said })),
    processes: state.processes.map(({ seenAt, ...process }) => ({
      ...process,
      seen_at: seenAt.toISOString(),
    })),
  };
}
