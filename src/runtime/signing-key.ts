/**
 * The key that signs policies here: given as a PEM, or the home's own, which a machine that runs alone makes once and
 * believes. Elsewhere the runtime holds public keys only, and who publishes holds the private one (design section 6).
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, fault } from "../base/fault.js";
import type { PublicKey } from "../policy/envelope-types.js";
import { publicKeyOf, rawKeyOf } from "../policy/signature.js";
import type { Signer } from "../review/port.js";
import type { Config } from "./config.js";
import { keepPrivate } from "./private-file.js";

export interface SigningKey {
  readonly signer: Signer;
  /** What a runtime must pin to believe it. */
  readonly publicKey: PublicKey;
}

type SigningConfig = Pick<Config, "home" | "policyTrust">;

const FILE = "policy-signing-key.pem";
const HOW_TO_MAKE = "make one with: openssl genpkey -algorithm ed25519";

/** Of POLICY_SIGNING_KEY, or else the home's own. Throws a refused Fault when what is there is no Ed25519 key. */
export async function openLocalSigner(config: SigningConfig): Promise<SigningKey> {
  const { signingKey } = config.policyTrust;
  return signingKey === null
    ? openHomeSigner(config.home)
    : toSigningKey(await readGiven(signingKey), "POLICY_SIGNING_KEY");
}

/** Whom this runtime believes: the pinned keys; in local, when none is pinned, the home's own. */
export async function trustedKeys(
  config: SigningConfig & Pick<Config, "environment">,
): Promise<readonly PublicKey[]> {
  const { keys } = config.policyTrust;
  if (keys.length > 0 || config.environment !== "local") return keys;
  return [(await openHomeSigner(config.home)).publicKey];
}

async function openHomeSigner(home: string): Promise<SigningKey> {
  const path = join(home, FILE);
  return toSigningKey(await keepPrivate(home, path, makePem), path);
}

function makePem(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** `@path`, or the PEM itself with its line ends written as `\n`, as environment files must. */
async function readGiven(given: string): Promise<string> {
  if (!given.startsWith("@")) return given.replaceAll("\\n", "\n");
  const path = given.slice(1);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw fault.refused(
      "POLICY_SIGNING_KEY_INVALID",
      `POLICY_SIGNING_KEY: cannot read ${path}: ${errorMessage(error)}`,
      { cause: error, hint: "after @ comes the path of a PEM file" },
    );
  }
}

function toSigningKey(pem: string, where: string): SigningKey {
  const privateKey = parsePem(pem, where);
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const raw = rawKeyOf(spki);
  if (raw === null) throw unfit(where, `a key of the kind ${privateKey.asymmetricKeyType}`);
  const publicKey = publicKeyOf(raw);
  const signer: Signer = {
    keyId: publicKey.id,
    sign: async (bytes) => sign(null, bytes, privateKey),
  };
  return { signer, publicKey };
}

function parsePem(pem: string, where: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The parser's message speaks of decoders; the sentence says what was expected, and never shows the text.
    throw unfit(where, "no private key");
  }
}

function unfit(where: string, found: string): Error {
  return fault.refused(
    "POLICY_SIGNING_KEY_INVALID",
    `${where}: found ${found}, expected an Ed25519 private key in PEM (PKCS #8)`,
    { hint: HOW_TO_MAKE },
  );
}
