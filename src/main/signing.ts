/** The key that signs what is published from here: one in KMS where it is named, else one of this machine. */
import { createKmsKey } from "../adapter/aws-kms.js";
import { fault } from "../base/fault.js";
import { publicKeyOf, rawKeyOf } from "../policy/signature.js";
import type { Config } from "../runtime/config.js";
import { openLocalSigner, type SigningKey } from "../runtime/signing-key.js";

/**
 * @param environment that is published for: only on one machine alone does the home's own key say anything
 * @param region where the policies say that this environment is; a set AWS_REGION goes before it
 */
export async function openSigner(
  config: Config,
  { environment, region }: { readonly environment: string; readonly region: string | null },
  signal: AbortSignal,
): Promise<SigningKey> {
  const { kmsKey, signingKey } = config.policyTrust;
  if (kmsKey !== null) return openKmsSigner(config, kmsKey, region, signal);
  if (signingKey === null && environment !== "local") {
    throw fault.refused(
      "POLICY_SIGNING_KEY_MISSING",
      `nothing here may sign for ${environment}: the runtime there does not believe this home's own key`,
      { hint: "set POLICY_SIGNING_KEY (PEM, or @file) or POLICY_KMS_KEY" },
    );
  }
  return openLocalSigner(config);
}

async function openKmsSigner(
  config: Config,
  keyId: string,
  region: string | null,
  signal: AbortSignal,
): Promise<SigningKey> {
  const { endpointUrl } = config.aws;
  const kept = createKmsKey({ keyId, endpointUrl, region: config.overrides.region ?? region });
  const raw = rawKeyOf(await kept.publicKey(signal));
  if (raw === null) {
    throw fault.refused("KMS_KEY_UNFIT", "POLICY_KMS_KEY: its public key is none of Ed25519");
  }
  const publicKey = publicKeyOf(raw);
  return { publicKey, signer: { keyId: publicKey.id, sign: kept.sign } };
}
