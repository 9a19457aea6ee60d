/** `policy bundle` and `policy publish`, as CI calls them: into a folder, and into S3 with a key in KMS (stand-ins). */
import { generateKeyPairSync } from "node:crypto";
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type StandInKms, startStandInKms } from "../../src/adapter/stand-in/kms.js";
import { type StandInS3, startStandInS3 } from "../../src/adapter/stand-in/s3.js";
import { verifyEnvelope } from "../../src/policy/envelope.js";
import type { Envelope, PublicKey } from "../../src/policy/envelope-types.js";
import { openLocalSigner } from "../../src/runtime/signing-key.js";
import { type Answer, cli, ROOT } from "./support.js";

let work: string;
beforeEach(async () => {
  work = await realpath(await mkdtemp(join(tmpdir(), "algobrain-publish-")));
});
afterEach(() => rm(work, { recursive: true, force: true }));

const home = () => join(work, "home");
const policy = (args: readonly string[], env: Record<string, string> = {}): Promise<Answer> =>
  cli(["policy", ...args], { cwd: work, env: { ALGOBRAIN_HOME: home(), ...env } });
const current = async () =>
  JSON.parse(await readFile(join(work, "out", "current.json"), "utf8")) as Envelope;

/** A copy of the shipped policies with one text replaced. */
async function editedPolicies(file: string, from: string, to: string): Promise<string> {
  const folder = join(work, "edited", "policies");
  await cp(join(ROOT, "policies"), folder, { recursive: true });
  const path = join(folder, "algobrain", file);
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
  return folder;
}

describe("policy bundle", () => {
  test("says what it is, and writes it where it is asked to", async () => {
    const { code, out } = await policy(["bundle", "--env", "production", "--out", "bundle.json"]);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^algobrain\/production digest [0-9a-f]{12} schema 6, \d+ runbooks, \d+ KiB\n$/,
      ),
    ]);
    const bundle = JSON.parse(await readFile(join(work, "bundle.json"), "utf8"));
    expect(bundle).toMatchObject({ format: 1, environment: "production", previewed: {} });
    expect(Object.values(bundle.requires.runbooks)).toContainEqual(
      expect.stringMatching(/^[0-9a-f]{64}$/),
    );
    const piped = await policy(["bundle", "--env", "production", "--out", "-"]);
    expect(JSON.parse(piped.out)).toEqual(bundle);
  });

  test("takes along what the review said would go", async () => {
    await writeFile(join(work, "preview.json"), '{"events": 1200}');
    const { out } = await policy(["bundle", "--previewed", "preview.json", "--out", "-"]);
    expect(JSON.parse(out).previewed).toEqual({ events: 1200 });
    await writeFile(join(work, "preview.json"), '{"events": -1}');
    const { code, err } = await policy(["bundle", "--previewed", "preview.json"]);
    expect([code, err]).toEqual([1, expect.stringContaining("found no numbers of rows by entity")]);
  });

  test("is none of invalid policies, and says every problem at its place", async () => {
    const dir = await editedPolicies("healing.yaml", "crashMax: 3", "crashMax: many");
    const { code, out, err } = await policy(["bundle", "--dir", dir]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/healing\.yaml:\d+:\d+: found "many", expected a whole number/);
  });
});

describe("policy publish to a folder", () => {
  test("is signed by the home's own key, and goes on top of what is there", async () => {
    const { publicKey } = await openLocalSigner({
      ...{ home: home(), policyTrust: { keys: [], signingKey: null, kmsKey: null } },
    });
    const first = await policy(["publish", "--to", "out", "--commit", "0123abc"]);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toBe(
      `revision 1 published to ${join(work, "out")}, signed by ${publicKey.id}\n`,
    );
    const context = { system: "algobrain", environment: "local", newestRevision: 0 };
    const text = JSON.stringify(await current());
    expect(verifyEnvelope(text, { ...context, keys: [publicKey] })).toMatchObject({
      ...{ ok: true, envelope: { revision: 1, commit: "0123abc" } },
    });
    const again = await policy(["publish", "--to", "out"]);
    expect([again.code, again.out]).toEqual([
      0,
      `revision 1 at ${join(work, "out")} says the same already: nothing published\n`,
    ]);
    const dir = await editedPolicies("healing.yaml", "crashMax: 3", "crashMax: 4");
    const next = await policy(["publish", "--to", "out", "--dir", dir, "--json"]);
    expect(JSON.parse(next.out)).toMatchObject({ outcome: "published", revision: 2 });
    expect((await current()).revision).toBe(2);
  });

  test("with --if-kinds runtime waits for the apply of what describes machines", async () => {
    const publish = (...more: string[]) => policy(["publish", "--to", "out", ...more]);
    expect((await publish("--if-kinds", "runtime")).out).toMatch(
      /^infrastructure changes \(scaling/,
    );
    await publish();
    const dir = await editedPolicies(
      "retention.yaml",
      "logs_retention_days: 30",
      "logs_retention_days: 14",
    );
    const held = await publish("--dir", dir, "--if-kinds", "runtime");
    expect([held.code, held.out]).toEqual([
      0,
      "infrastructure changes (retention.logs_retention_days): publish after their apply\n",
    ]);
    expect((await publish("--dir", dir)).out).toMatch(/^revision 2 published/);
  });

  test("does not build on what it cannot believe", async () => {
    await policy(["publish", "--to", "out"], { ALGOBRAIN_HOME: join(work, "foreign-home") });
    const { code, err } = await policy(["publish", "--to", "out"]);
    expect(code).toBe(1);
    expect(err).toMatch(/holds what cannot be believed \(signature-unknown-key\)/);
    expect(err).toMatch(/hint: .*POLICY_PUBLIC_KEY/);
  });

  test.each([
    [["publish"], 2, /--to is missing/],
    [["publish", "--to", "ftp://x"], 1, /cannot publish to "ftp:\/\/x"/],
    [["publish", "--to", "out", "--commit", "main"], 2, /expected the hash of a commit/],
    [["publish", "--to", "out", "--if-kinds", "cloud"], 2, /expected runtime, all/],
    [["publish", "--to", "api:http://127.0.0.1:9"], 2, /--token-file is missing/],
    [["publish", "--to", "out", "--env", "production"], 1, /nothing here may sign for production/],
    [["publish", "--to", "out", "--env", "prod"], 1, /prod/],
  ])("%j is exit %d with a sentence", async (args, code, sentence) => {
    const answer = await policy(args);
    expect([answer.code, answer.out]).toEqual([code, ""]);
    expect(answer.err).toMatch(sentence);
  });

  test("two keys that sign are refused, and both named (X-37)", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const env = { POLICY_SIGNING_KEY: pem, POLICY_KMS_KEY: "alias/policies" };
    const { code, err } = await policy(["publish", "--to", "out"], env);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/POLICY_SIGNING_KEY and POLICY_KMS_KEY/),
    ]);
  });
});

describe("policy publish for production", () => {
  let s3: StandInS3;
  let kms: StandInKms;
  beforeEach(async () => {
    // Where the SDK looks for them; it reads no other environment than that of the process.
    vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
    s3 = await startStandInS3(["bucket"]);
    kms = await startStandInKms({ "alias/policies": "ed25519" });
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await s3.close();
    await kms.close();
  });

  test("to S3 names the version of the object", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await writeFile(join(work, "key.pem"), pem);
    const env = {
      POLICY_SIGNING_KEY: `@${join(work, "key.pem")}`,
      AWS_ENDPOINT_URL: s3.url,
    };
    const to = ["publish", "--env", "production", "--to", "s3://bucket/prod/current.json"];
    const { code, out, err } = await policy(to, env);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(
      /^revision 1 published to s3:\/\/bucket\/prod\/current\.json \(version v2\), signed by [0-9a-f]{8}\n$/,
    );
    expect((await policy(to, env)).out).toMatch(/says the same already/);
  });

  test("by a key in KMS is believed by whoever pins its public half", async () => {
    const env = { POLICY_KMS_KEY: "alias/policies", AWS_ENDPOINT_URL: kms.url };
    const to = ["publish", "--env", "production", "--to", "out", "--json"];
    const { code, out, err } = await policy(to, env);
    expect([code, err]).toEqual([0, ""]);
    const { key } = JSON.parse(out) as { key: PublicKey };
    const verdict = verifyEnvelope(JSON.stringify(await current()), {
      ...{ keys: [key], system: "algobrain", environment: "production", newestRevision: 0 },
    });
    expect(verdict.ok).toBe(true);
    expect(kms.signed()).toBe(1);
  });
});
