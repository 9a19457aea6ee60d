/** Signs bundles as a publisher would, without the code that publishes: what the runtime believes is checked against this. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { canonicalJson, type JsonObject } from "../../src/base/json.js";
import type { Envelope, PublicKey } from "../../src/policy/envelope-types.js";
import type { BundleSource } from "../../src/review/port.js";

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: PublicKey;
}

export function makeKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const id = createHash("sha256").update(raw).digest("hex").slice(0, 8);
  return { privateKey, publicKey: { id, raw: raw.toString("base64") } };
}

export interface TestBundle {
  readonly sections: JsonObject;
  readonly revision: number;
  readonly environment?: string;
  readonly schema?: number;
  readonly runbooks?: Readonly<Record<string, string>>;
  readonly previewed?: Readonly<Record<string, number>>;
  readonly commit?: string | null;
}

export function signBundle(key: TestKey, given: TestBundle): Envelope {
  const { sections, revision, environment = "local", commit = null } = given;
  const requires = { schema: given.schema ?? 2, runbooks: given.runbooks ?? {} };
  const previewed = given.previewed ?? {};
  const bundle = {
    format: 1,
    system: "algobrain",
    environment,
    sections,
    requires,
    previewed,
  } as const;
  const digest = createHash("sha256").update(canonicalJson(bundle)).digest("hex");
  const createdAt = "2026-11-22T05:00:00Z";
  const said = { digest, commit, revision, createdAt, system: "algobrain", environment };
  const bytes = Buffer.from(`algobrain-policy/1\n${canonicalJson(said)}`);
  const value = sign(null, bytes, key.privateKey).toString("base64url");
  const signature = { algorithm: "Ed25519", keyId: key.publicKey.id, value } as const;
  return { bundle, digest, commit, revision, createdAt, signature };
}

/** A place of bundles in memory: what lies there is what was put last. */
export class TestSource implements BundleSource {
  readonly name = "memory";
  text: string | null = null;
  /** Set: it does not answer. */
  away: Error | null = null;

  put(envelope: Envelope | string): void {
    this.text = typeof envelope === "string" ? envelope : JSON.stringify(envelope);
  }

  async fetch(known: string | null) {
    if (this.away) throw this.away;
    if (this.text === null) return null;
    const tag = createHash("sha256").update(this.text).digest("hex");
    return tag === known ? null : { text: this.text, tag };
  }
}
