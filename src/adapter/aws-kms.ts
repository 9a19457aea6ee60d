/** An Ed25519 key in AWS KMS (key spec ECC_NIST_EDWARDS25519): it signs there and never leaves. */
import type { KMSClient } from "@aws-sdk/client-kms";
import { fault } from "../base/fault.js";
import type { KeptKey } from "../review/port.js";
import { callAws } from "./aws-faults.js";

export interface KmsKeyOptions {
  /** Id, ARN or alias. */
  readonly keyId: string;
  /** Null: where the SDK finds one (AWS_REGION, a profile). */
  readonly region: string | null;
  /** Null: AWS's own. */
  readonly endpointUrl: string | null;
  readonly timeoutMs?: number;
  /** By default those that the SDK finds: environment, profile, role. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const TIMEOUT_MS = 10_000;
const KEY_SPEC = "ECC_NIST_EDWARDS25519";
/** A message that is sent whole (RAW) must not be longer. */
const MESSAGE_BYTES_MAX = 4_096;

export function createKmsKey(options: KmsKeyOptions): KeptKey {
  const { keyId, timeoutMs = TIMEOUT_MS } = options;
  const callOf = (subject: string, signal: AbortSignal) =>
    ({ system: "KMS", subject, timeoutMs, signal }) as const;
  let client: KMSClient | null = null;
  const open = async () => {
    client ??= await openClient(options);
    return client;
  };
  return {
    publicKey: (signal) =>
      callAws(callOf("the public key", signal), async (abortSignal) =>
        readPublicKey(await open(), keyId, abortSignal),
      ),
    sign: (bytes, signal) =>
      callAws(callOf("the signature", signal), async (abortSignal) =>
        signBytes(await open(), keyId, bytes, abortSignal),
      ),
  };
}

/** Loading the SDK takes a tenth of a second, so only who signs does it. */
async function openClient(options: KmsKeyOptions): Promise<KMSClient> {
  const { KMSClient } = await import("@aws-sdk/client-kms");
  const { region, endpointUrl, credentials } = options;
  return new KMSClient({
    ...(region === null ? {} : { region }),
    ...(endpointUrl === null ? {} : { endpoint: endpointUrl }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1,
  });
}

async function readPublicKey(
  client: KMSClient,
  keyId: string,
  abortSignal: AbortSignal,
): Promise<Buffer> {
  const { GetPublicKeyCommand } = await import("@aws-sdk/client-kms");
  const answer = await client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal });
  if (answer.KeySpec !== KEY_SPEC || answer.PublicKey === undefined) {
    const found = answer.KeySpec ?? "no key";
    throw fault.refused("KMS_KEY_UNFIT", `POLICY_KMS_KEY: found ${found}, expected ${KEY_SPEC}`, {
      hint: "make a key for signing with that spec; where the region has none, set POLICY_SIGNING_KEY instead",
    });
  }
  return Buffer.from(answer.PublicKey);
}

async function signBytes(
  client: KMSClient,
  keyId: string,
  bytes: Buffer,
  abortSignal: AbortSignal,
): Promise<Buffer> {
  if (bytes.length > MESSAGE_BYTES_MAX) {
    const found = `found ${bytes.length} bytes to sign, expected at most ${MESSAGE_BYTES_MAX}`;
    throw fault.refused("KMS_MESSAGE_TOO_LONG", found);
  }
  const { SignCommand } = await import("@aws-sdk/client-kms");
  const command = new SignCommand({
    ...{ KeyId: keyId, Message: bytes, MessageType: "RAW" },
    // Plain Ed25519 (RFC 8032), so whoever verifies needs nothing of AWS; not the pre-hashed variant.
    SigningAlgorithm: "ED25519_SHA_512",
  });
  const { Signature } = await client.send(command, { abortSignal });
  if (Signature === undefined) throw fault.transient("KMS_ANSWER_INVALID", "it gave no signature");
  return Buffer.from(Signature);
}
