/** Envelopes signed by hand: with node:crypto alone, so that they judge the code that signs as well as the one that believes. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { canonicalJson } from "../../src/base/json.js";
import { loadRawSet } from "../../src/policy/bundle.js";
import { makeBundle } from "../../src/policy/envelope.js";
import {
  type Envelope,
  type PolicyBundle,
  type PublicKey,
  type Requires,
  SCHEMA_VERSION,
} from "../../src/policy/envelope-types.js";
import type { SourceFile } from "../../src/policy/source.js";
import { SHIPPED } from "./shipped.js";

export interface TestKey {
  readonly publicKey: PublicKey;
  readonly privateKey: KeyObject;
}

export function newKey(): TestKey {
  const pair = generateKeyPairSync("ed25519");
  const raw = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const id = createHash("sha256").update(raw).digest("hex").slice(0, 8);
  return { publicKey: { id, raw: raw.toString("base64") }, privateKey: pair.privateKey };
}

export function bundleOf(
  environment = "local",
  {
    files = SHIPPED,
    requires = { schema: SCHEMA_VERSION, runbooks: {} },
    previewed = {},
  }: {
    readonly files?: readonly SourceFile[];
    readonly requires?: Requires;
    readonly previewed?: Readonly<Record<string, number>>;
  } = {},
): PolicyBundle {
  const checked = loadRawSet(files, environment);
  if (!checked.ok) throw new Error(checked.problems.map(({ message }) => message).join("\n"));
  return makeBundle(checked.value, requires, previewed);
}

export function seal(bundle: PolicyBundle, revision: number, key: TestKey): Envelope {
  const digest = createHash("sha256").update(canonicalJson(bundle)).digest("hex");
  const { system, environment } = bundle;
  const facts = { digest, commit: null, revision, createdAt: "2030-01-01T00:00:00.000Z" };
  const said = `algobrain-policy/1\n${canonicalJson({ ...facts, system, environment })}`;
  const value = sign(null, Buffer.from(said), key.privateKey).toString("base64url");
  const { id: keyId } = key.publicKey;
  return { bundle, ...facts, signature: { algorithm: "Ed25519", keyId, value } };
}
