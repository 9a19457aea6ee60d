/** Both signers give signatures that one and the same check believes: a key of this machine, and one in KMS (a stand-in). */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createKmsKey } from "../../src/adapter/aws-kms.js";
import { type StandInKms, startStandInKms } from "../../src/adapter/stand-in/kms.js";
import { isSignedBy, publicKeyOf, rawKeyOf } from "../../src/policy/signature.js";
import type { PolicyTrust } from "../../src/runtime/gitops-config.js";
import { openLocalSigner, type SigningKey, trustedKeys } from "../../src/runtime/signing-key.js";
import { faultOf, never } from "./delivery.js";

let home: string;
let kms: StandInKms;

beforeAll(async () => {
  kms = await startStandInKms({ ours: "ed25519", old: "rsa" });
});
afterAll(() => kms.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "algobrain-signer-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const config = (trust: Partial<PolicyTrust> = {}) => ({
  home,
  environment: "local" as const,
  policyTrust: { keys: [], signingKey: null, kmsKey: null, ...trust },
});

const openKms = (overrides: { keyId?: string; timeoutMs?: number } = {}) =>
  createKmsKey({
    ...{ keyId: "ours", region: "us-east-1", endpointUrl: kms.url, timeoutMs: 2_000 },
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    ...overrides,
  });

async function fromKms(): Promise<SigningKey> {
  const kept = openKms();
  const publicKey = publicKeyOf(rawKeyOf(await kept.publicKey(never()))!);
  return { publicKey, signer: { keyId: publicKey.id, sign: kept.sign } };
}

const pemOf = (kind: "ed25519" | "ed448") => {
  const { privateKey } = kind === "ed25519" ? generateKeyPairSync(kind) : generateKeyPairSync(kind);
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
};

describe.each([
  ["the home's own key", () => openLocalSigner(config())],
  ["a given key", () => openLocalSigner(config({ signingKey: pemOf("ed25519") }))],
  ["a key in KMS", () => fromKms()],
] as const)("%s", (_, open) => {
  test("signs, and nothing else than these bytes by this key", async () => {
    const { signer, publicKey } = await open();
    expect(signer.keyId).toBe(publicKey.id);
    const bytes = Buffer.from("what is said");
    const signature = await signer.sign(bytes, never());
    expect(signature).toHaveLength(64);
    expect(isSignedBy(publicKey, bytes, signature)).toBe(true);
    expect(isSignedBy(publicKey, Buffer.from("what is sait"), signature)).toBe(false);
    const other = await openLocalSigner(config({ signingKey: pemOf("ed25519") }));
    expect(isSignedBy(other.publicKey, bytes, signature)).toBe(false);
  });
});

describe("the home's own key", () => {
  const path = () => join(home, "policy-signing-key.pem");

  test("is made once, by whoever comes first, and read by its owner only", async () => {
    const opened = await Promise.all([1, 2, 3, 4].map(() => openLocalSigner(config())));
    expect(new Set(opened.map(({ publicKey }) => publicKey.id)).size).toBe(1);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect(await readFile(path(), "utf8")).toContain("BEGIN PRIVATE KEY");
  });

  test("is believed in local when none is pinned, and nowhere else", async () => {
    const { publicKey } = await openLocalSigner(config());
    expect(await trustedKeys(config())).toEqual([publicKey]);
    expect(await trustedKeys({ ...config(), environment: "production" })).toEqual([]);
    const pinned = [publicKeyOf(Buffer.alloc(32, 7))];
    expect(await trustedKeys(config({ keys: pinned }))).toEqual(pinned);
  });

  test("that is broken is not quietly made anew", async () => {
    await writeFile(path(), "gone");
    expect(await faultOf(openLocalSigner(config()))).toMatchObject({
      ...{ kind: "refused", code: "POLICY_SIGNING_KEY_INVALID" },
      message: `${path()}: found no private key, expected an Ed25519 private key in PEM (PKCS #8)`,
    });
  });
});

describe("a given key", () => {
  test("comes from a file, or with its line ends written out", async () => {
    const pem = pemOf("ed25519");
    const file = join(home, "key.pem");
    await writeFile(file, pem);
    const given = [pem, pem.replaceAll("\n", "\\n"), `@${file}`];
    const opened = await Promise.all(
      given.map((signingKey) => openLocalSigner(config({ signingKey }))),
    );
    expect(new Set(opened.map(({ publicKey }) => publicKey.id)).size).toBe(1);
  });

  test.each([
    ["another kind", pemOf("ed448"), /found a key of the kind ed448, expected an Ed25519/],
    ["no key", "secret-text", /^POLICY_SIGNING_KEY: found no private key/],
    ["no file", "@/nowhere/key.pem", /cannot read \/nowhere\/key\.pem/],
  ])("of %s is refused without showing it", async (_, signingKey, sentence) => {
    const refused = await faultOf(openLocalSigner(config({ signingKey })));
    expect(refused).toMatchObject({ kind: "refused", code: "POLICY_SIGNING_KEY_INVALID" });
    expect(refused.message).toMatch(sentence);
    expect(refused.message).not.toContain("secret-text");
  });
});

describe("a key in KMS", () => {
  test("of another spec is refused with the one that is expected", async () => {
    expect(await faultOf(openKms({ keyId: "old" }).publicKey(never()))).toMatchObject({
      ...{ kind: "refused", code: "KMS_KEY_UNFIT" },
      message: "POLICY_KMS_KEY: found RSA_2048, expected ECC_NIST_EDWARDS25519",
    });
  });

  test("more than KMS takes whole is not sent", async () => {
    const before = kms.signed();
    const long = openKms().sign(Buffer.alloc(4_097), never());
    expect(await faultOf(long)).toMatchObject({ code: "KMS_MESSAGE_TOO_LONG" });
    expect(kms.signed()).toBe(before);
  });

  const named = (name: string) => ({
    ...{ kind: "answer" as const },
    answer: {
      status: 400,
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: { __type: name },
    },
  });
  test.each([
    ["AccessDeniedException", "waiting", "KMS_UNAUTHORIZED"],
    ["ThrottlingException", "waiting", "KMS_RATE_LIMITED"],
    ["DisabledException", "data", "KMS_REFUSED"],
  ])("%s is %s %s", async (name, kind, code) => {
    kms.misbehave(named(name));
    expect(await faultOf(openKms().sign(Buffer.from("x"), never()))).toMatchObject({ kind, code });
  });

  test("silence ends by our deadline", async () => {
    kms.misbehave({ kind: "silence" });
    const hasty = openKms({ timeoutMs: 300 }).sign(Buffer.from("x"), never());
    expect(await faultOf(hasty)).toMatchObject({ kind: "transient", code: "KMS_TIMED_OUT" });
  });
});
