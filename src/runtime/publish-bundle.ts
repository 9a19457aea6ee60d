/** Puts a bundle on top of the newest one of a place: signed, with the next revision, and never over another's. */
import { Fault, fault } from "../base/fault.js";
import { canonicalJson } from "../base/json.js";
import {
  bundleDigest,
  type Refused,
  readEnvelope,
  signedBytes,
  verifyEnvelope,
} from "../policy/envelope.js";
import type { Envelope, PolicyBundle, PublicKey } from "../policy/envelope-types.js";
import { infrastructureChanges } from "../policy/infrastructure-change.js";
import type { BundleSource, BundleTarget, Signer } from "../review/port.js";

export type BundlePlace = BundleSource & BundleTarget;

export interface Publishing {
  readonly place: BundlePlace;
  readonly signer: Signer;
  /** Whose envelopes may be there already. */
  readonly trusted: readonly PublicKey[];
  readonly now: () => Date;
  /** Hold back while what differs describes machines. */
  readonly runtimeKindsOnly: boolean;
}

export type Published =
  | {
      readonly outcome: "published";
      readonly revision: number;
      readonly digest: string;
      /** Of the object, where its store counts versions. */
      readonly version: string | null;
    }
  /** The newest says the same already. */
  | { readonly outcome: "unchanged"; readonly revision: number; readonly digest: string }
  /** What must be applied first. */
  | { readonly outcome: "after-apply"; readonly differs: readonly string[] };

/** The second try goes on top of whoever was faster. */
const TRIES = 2;

/** Throws a refused Fault when two have been faster, or when what is there is not to be believed. */
export async function publishBundle(
  publishing: Publishing,
  bundle: PolicyBundle,
  commit: string | null,
  signal: AbortSignal,
): Promise<Published> {
  for (let tries = 1; ; tries++) {
    try {
      return await publishOnTop(publishing, bundle, commit, signal);
    } catch (error) {
      const raced = error instanceof Fault && error.code === "POLICY_PUBLISH_RACED";
      if (!raced || tries === TRIES) throw error;
    }
  }
}

async function publishOnTop(
  publishing: Publishing,
  bundle: PolicyBundle,
  commit: string | null,
  signal: AbortSignal,
): Promise<Published> {
  const { place, runtimeKindsOnly } = publishing;
  const present = await place.fetch(null, signal);
  const newest = present && believe(publishing, bundle, present.text);
  const digest = bundleDigest(bundle);
  if (newest?.digest === digest) return { outcome: "unchanged", revision: newest.revision, digest };
  const differs = runtimeKindsOnly ? infrastructureChanges(newest?.bundle ?? null, bundle) : [];
  if (differs.length > 0) return { outcome: "after-apply", differs };
  const revision = (newest?.revision ?? 0) + 1;
  const text = await sealBundle(publishing, { bundle, commit, revision }, signal);
  const { version } = await place.put({ text, revision }, present?.tag ?? null, signal);
  return { outcome: "published", revision, digest, version };
}

/** The text of the envelope. */
export async function sealBundle(
  { signer, now }: Pick<Publishing, "signer" | "now">,
  content: Pick<Envelope, "bundle" | "commit" | "revision">,
  signal: AbortSignal,
): Promise<string> {
  const { bundle, commit, revision } = content;
  const { system, environment } = bundle;
  const facts = { digest: bundleDigest(bundle), commit, revision, createdAt: now().toISOString() };
  const value = await signer.sign(signedBytes({ ...facts, system, environment }), signal);
  const envelope: Envelope = {
    ...{ bundle, ...facts },
    signature: { algorithm: "Ed25519", keyId: signer.keyId, value: value.toString("base64url") },
  };
  return `${canonicalJson(envelope)}\n`;
}

/** The next revision counts from what is there, so what is there must be ours: else anybody could use up all numbers. */
function believe({ place, trusted }: Publishing, bundle: PolicyBundle, text: string): Envelope {
  const read = readEnvelope(text);
  if (!read.ok) throw foreign(place, read);
  const { system, environment } = bundle;
  const newestRevision = read.envelope.revision - 1;
  const verified = verifyEnvelope(text, { keys: trusted, system, environment, newestRevision });
  // Policies that the checks of today do not take were signed all the same, and are what is being replaced.
  if (verified.ok || verified.refusal === "invalid") return read.envelope;
  throw foreign(place, verified);
}

function foreign(place: BundlePlace, { refusal, sentence }: Refused): Fault {
  return fault.refused(
    "POLICY_PUBLISHED_FOREIGN",
    `${place.name} holds what cannot be believed (${refusal}): ${sentence}`,
    {
      hint: "find out who wrote it; then add its key to POLICY_PUBLIC_KEY, or take the object away",
    },
  );
}
