/**
 * Bundles and their envelopes: made by the publisher, believed by the runtime only after every step below. The
 * signature speaks for the digest, and the digest for the bundle, so a change anywhere breaks one of the two.
 */
import { createHash } from "node:crypto";
import { canonicalJson, type JsonObject } from "../base/json.js";
import { findUnstorable } from "../base/storable.js";
import type { LoadedSet } from "./bundle.js";
import { ENVELOPE } from "./envelope-schema.js";
import {
  type Envelope,
  type Missing,
  type PolicyBundle,
  type PublicKey,
  type Refusal,
  type Requires,
  SCHEMA_VERSION,
} from "./envelope-types.js";
import { loadFromRaw } from "./from-raw.js";
import { isSignedBy } from "./signature.js";

/** The shipped policies are 40 KiB, 2,000 rules some 600 KiB. */
export const ENVELOPE_BYTES_MAX = 1_048_576;
/** A revision that jumps further would leave no room for those after it. */
export const REVISION_STEP_MAX = 10_000;
/** So that these bytes can never be taken for something else that the same key signs. */
const DOMAIN = "algobrain-policy/1\n";

/** What a signature speaks for. */
export type SignedFacts = Pick<Envelope, "digest" | "commit" | "revision" | "createdAt"> &
  Pick<PolicyBundle, "system" | "environment">;

export interface VerifyContext {
  /** Those that are pinned here. */
  readonly keys: readonly PublicKey[];
  readonly system: string;
  readonly environment: string;
  /** 0 before the first. */
  readonly newestRevision: number;
  /** Of the newest revision: reading the same object again is no replay. Absent: even the newest is one. */
  readonly newestDigest?: string | null;
}

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
  /** What was found, what was expected, what to do. */
  readonly sentence: string;
  /** As far as the text says so; nobody has vouched for them. */
  readonly revision: number | null;
  readonly digest: string | null;
}

export type Verified = { readonly ok: true; readonly envelope: Envelope } | Refused;

/**
 * @param previewed rows that the review said would go, by entity
 */
export function makeBundle(
  loaded: Pick<LoadedSet, "system" | "environment" | "raw">,
  requires: Requires,
  previewed: Readonly<Record<string, number>> = {},
): PolicyBundle {
  const { system, environment, raw } = loaded;
  return { format: 1, system, environment, sections: toJson(raw), requires, previewed };
}

/** A raw set is what a YAML parser gave: it has nothing that JSON has not. */
function toJson(raw: object): JsonObject {
  return JSON.parse(JSON.stringify(raw)) as JsonObject;
}

/** SHA-256 (hex) of the canonical JSON: what the database or an object store does to the text does not matter. */
export function bundleDigest(bundle: PolicyBundle): string {
  return createHash("sha256").update(canonicalJson(bundle)).digest("hex");
}

export function signedBytes(facts: SignedFacts): Buffer {
  const { digest, commit, revision, createdAt, system, environment } = facts;
  const said = { digest, commit, revision, createdAt, system, environment };
  return Buffer.from(`${DOMAIN}${canonicalJson(said)}`, "utf8");
}

export function factsOf(envelope: Omit<Envelope, "signature">): SignedFacts {
  const { bundle, digest, commit, revision, createdAt } = envelope;
  const { system, environment } = bundle;
  return { digest, commit, revision, createdAt, system, environment };
}

/** Form only: whether it may be believed, `verifyEnvelope` says. */
export function readEnvelope(text: string): Verified {
  const bytes = Buffer.byteLength(text, "utf8");
  if (bytes > ENVELOPE_BYTES_MAX) {
    const sentence = `found ${bytes} bytes or more, expected at most ${ENVELOPE_BYTES_MAX}: is this the object that \`policy publish\` wrote?`;
    return refused("too-large", sentence);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser would quote what it found, which may be anything that lay there.
    return malformed("it is not JSON");
  }
  const [trouble] = findUnstorable(value);
  if (trouble) return malformed(`${trouble.pointer} ${trouble.message}`);
  const [finding] = ENVELOPE.check(value);
  if (finding) return malformed(`${finding.pointer || "the whole"} ${finding.message}`);
  return { ok: true, envelope: value as Envelope };
}

/** Of what nobody has signed only so much is told on. */
const FOREIGN_TEXT_MAX = 200;

function malformed(what: string): Refused {
  const shown = what.slice(0, FOREIGN_TEXT_MAX);
  return refused("malformed", `${shown}: publish it anew with \`algobrain policy publish\``);
}

/**
 * In this order, so that nothing is computed from what nobody has signed: size, JSON, form, key, signature, digest,
 * system and environment, revision, and last whether the sections make a valid policy. That is not asked of a newer
 * schema: what this program does not know is no mistake, and `missingFrom` lets it wait.
 */
export function verifyEnvelope(text: string, context: VerifyContext): Verified {
  const read = readEnvelope(text);
  if (!read.ok) return read;
  const { envelope } = read;
  for (const step of [signatureOf, contentOf, destinationOf, revisionOf, meaningOf]) {
    const objection = step(envelope, context);
    if (objection) return refused(objection.refusal, objection.sentence, envelope);
  }
  return read;
}

type Objection = Pick<Refused, "refusal" | "sentence"> | null;

function signatureOf(envelope: Envelope, { keys }: VerifyContext): Objection {
  const { keyId, value } = envelope.signature;
  const key = keys.find(({ id }) => id === keyId);
  if (!key) {
    const pinned = keys.map(({ id }) => id).join(", ") || "none";
    const sentence = `signed by key ${keyId}, but pinned here: ${pinned}; publish with a pinned key, or add its public key to POLICY_PUBLIC_KEY`;
    return { refusal: "signature-unknown-key", sentence };
  }
  if (isSignedBy(key, signedBytes(factsOf(envelope)), Buffer.from(value, "base64url"))) return null;
  const sentence = `key ${keyId} has not signed this digest, commit, revision, time, system and environment together: something was changed after signing`;
  return { refusal: "signature-invalid", sentence };
}

function contentOf({ bundle, digest }: Envelope): Objection {
  const found = bundleDigest(bundle);
  if (found === digest) return null;
  const sentence = `the content has the digest ${found.slice(0, 12)}, but ${digest.slice(0, 12)} was signed: it was changed after signing`;
  return { refusal: "digest-mismatch", sentence };
}

function destinationOf({ bundle }: Envelope, context: VerifyContext): Objection {
  if (bundle.system !== context.system) {
    const sentence = `made for the system "${bundle.system}", this is "${context.system}"`;
    return { refusal: "wrong-system", sentence };
  }
  if (bundle.environment === context.environment) return null;
  const sentence = `made for ${bundle.environment}, this is ${context.environment}: publish with --env ${context.environment}`;
  return { refusal: "wrong-environment", sentence };
}

function revisionOf(envelope: Envelope, context: VerifyContext): Objection {
  const { revision, digest } = envelope;
  const { newestRevision, newestDigest = null } = context;
  if (revision === newestRevision && digest === newestDigest) return null;
  if (revision <= newestRevision) {
    const sentence = `revision ${revision} is not newer than ${newestRevision}: to go back, publish the older policies as a new revision`;
    return { refusal: "revision-not-newer", sentence };
  }
  if (revision - newestRevision <= REVISION_STEP_MAX) return null;
  const sentence = `revision ${revision} is more than ${REVISION_STEP_MAX} ahead of ${newestRevision}: it would leave no number for those after it`;
  return { refusal: "revision-out-of-range", sentence };
}

const PROBLEMS_SHOWN = 3;

function meaningOf({ bundle }: Envelope): Objection {
  if (bundle.requires.schema > SCHEMA_VERSION) return null;
  const checked = loadFromRaw(bundle.sections, bundle.system, bundle.environment);
  if (checked.ok) return null;
  const { problems } = checked;
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ file, message }) => `${file} ${message}`);
  const more = problems.length - shown.length;
  const sentence = `its policies are invalid: ${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  return { refusal: "invalid", sentence };
}

function refused(refusal: Refusal, sentence: string, envelope?: Envelope): Refused {
  const { revision = null, digest = null } = envelope ?? {};
  return { ok: false, refusal, sentence, revision, digest };
}

/** What this program lacks; empty: it can work with the bundle. */
export function missingFrom(requires: Requires, have: Requires): Missing[] {
  const tooNew: Missing[] =
    requires.schema > have.schema
      ? [{ what: "schema", needed: requires.schema, have: have.schema }]
      : [];
  const runbooks = Object.entries(requires.runbooks)
    .filter(([name, hash]) => !Object.hasOwn(have.runbooks, name) || have.runbooks[name] !== hash)
    .map(([name]): Missing => ({ what: "runbook", name }));
  return [...tooNew, ...runbooks];
}

/** `waiting for an image with schema 3 (this one has 2) and the runbooks gc, sync as they were published`. */
export function describeMissing(missing: readonly Missing[]): string {
  const schema = missing.flatMap((one) =>
    one.what === "schema" ? [`schema ${one.needed} (this one has ${one.have})`] : [],
  );
  const names = missing.flatMap((one) => (one.what === "runbook" ? [one.name] : []));
  const runbooks =
    names.length === 0 ? [] : [`the runbooks ${names.join(", ")} as they were published`];
  return `waiting for an image with ${[...schema, ...runbooks].join(" and ")}`;
}
