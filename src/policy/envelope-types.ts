/** A policy on its way into force: what is signed, and what must be there to work with it. Pure types. */
import type { JsonObject } from "../base/json.js";

/** Grows whenever a section or a key is added to the policies. 1 is what `control.policy_revision` held before bundles. */
export const SCHEMA_VERSION = 6;

export interface Requires {
  readonly schema: number;
  /** Name to SHA-256 (hex) of the runbooks that alerts, automation or access name. */
  readonly runbooks: Readonly<Record<string, string>>;
}

export interface PolicyBundle {
  readonly format: 1;
  readonly system: string;
  readonly environment: string;
  /** What people wrote, overlay applied, no default filled: so whoever loads it checks and resolves it again. */
  readonly sections: JsonObject;
  readonly requires: Requires;
  /** Rows that the review said would go, by entity; empty when nothing was previewed. */
  readonly previewed: Readonly<Record<string, number>>;
}

export interface Envelope {
  readonly bundle: PolicyBundle;
  /** SHA-256 (hex) of the bundle's canonical JSON. */
  readonly digest: string;
  /** Of the repository that the policies come from; null outside Git. */
  readonly commit: string | null;
  /** Only grows. */
  readonly revision: number;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly signature: {
    readonly algorithm: "Ed25519";
    /** The first eight hex digits of the public key's SHA-256. */
    readonly keyId: string;
    /** base64url. */
    readonly value: string;
  };
}

export interface PublicKey {
  readonly id: string;
  /** base64 of 32 bytes. */
  readonly raw: string;
}

export type Refusal =
  | "malformed"
  | "too-large"
  | "digest-mismatch"
  | "signature-unknown-key"
  | "signature-invalid"
  | "wrong-system"
  | "wrong-environment"
  | "revision-not-newer"
  | "revision-out-of-range"
  | "invalid";

export type Missing =
  | { readonly what: "schema"; readonly needed: number; readonly have: number }
  | { readonly what: "runbook"; readonly name: string };
