/** Ed25519 (RFC 8032): whose key it is, and whether it has signed. Signing itself is a port (review/port.ts). */
import { createHash, createPublicKey, verify } from "node:crypto";
import type { PublicKey } from "./envelope-types.js";

export const KEY_BYTES = 32;
/** What stands before the raw key in a SubjectPublicKeyInfo of Ed25519 (RFC 8410, sections 3 and 4). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/** The first eight hex digits of the raw key's SHA-256. */
export function keyIdOf(raw: Buffer): string {
  return createHash("sha256").update(raw).digest("hex").slice(0, 8);
}

export function publicKeyOf(raw: Buffer): PublicKey {
  return { id: keyIdOf(raw), raw: raw.toString("base64") };
}

/** The 32 bytes of a key in DER (SubjectPublicKeyInfo); null when it is none of Ed25519. */
export function rawKeyOf(spki: Buffer): Buffer | null {
  const isOurs =
    spki.length === SPKI_HEAD.length + KEY_BYTES &&
    spki.subarray(0, SPKI_HEAD.length).equals(SPKI_HEAD);
  return isOurs ? spki.subarray(SPKI_HEAD.length) : null;
}

export function isSignedBy(key: PublicKey, bytes: Buffer, signature: Buffer): boolean {
  const spki = Buffer.concat([SPKI_HEAD, Buffer.from(key.raw, "base64")]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  return verify(null, bytes, publicKey, signature);
}
