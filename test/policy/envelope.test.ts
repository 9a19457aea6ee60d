/** What is believed of an envelope, and why anything else is not. No database, no clock, no file. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, type JsonObject } from "../../src/base/json.js";
import { loadRawSet } from "../../src/policy/bundle.js";
import { policyDigest } from "../../src/policy/digest.js";
import {
  bundleDigest,
  describeMissing,
  ENVELOPE_BYTES_MAX,
  missingFrom,
  REVISION_STEP_MAX,
  type VerifyContext,
  verifyEnvelope,
} from "../../src/policy/envelope.js";
import type { Envelope, Refusal } from "../../src/policy/envelope-types.js";
import { loadFromRaw } from "../../src/policy/from-raw.js";
import { infrastructureChanges } from "../../src/policy/infrastructure-change.js";
import { requiresOf } from "../../src/policy/requires.js";
import { rawKeyOf } from "../../src/policy/signature.js";
import { makeAccessRule, makeLevel, makePolicy, makeRule } from "../support/make-policy.js";
import { bundleOf, newKey, seal } from "./sealed.js";
import { SHIPPED, withEdit } from "./shipped.js";

const KEY = newKey();
const FOREIGN = newKey();
const CONTEXT: VerifyContext = {
  keys: [KEY.publicKey],
  system: "algobrain",
  environment: "local",
  newestRevision: 41,
};
const BUNDLE = bundleOf();
const GOOD = seal(BUNDLE, 42, KEY);

const verdictOn = (envelope: unknown, context: Partial<VerifyContext> = {}) =>
  verifyEnvelope(JSON.stringify(envelope), { ...CONTEXT, ...context });

test.each(["local", "staging", "production"])(
  "what is signed for %s is believed, and means what the files mean",
  (environment) => {
    const loaded = loadRawSet(SHIPPED, environment);
    if (!loaded.ok) throw new Error("the shipped policies are valid");
    const envelope = seal(bundleOf(environment), 42, KEY);
    const verdict = verdictOn(envelope, { environment });
    expect(verdict).toEqual({ ok: true, envelope });
    // A database or an object store may reorder keys: neither digest nor meaning depends on it.
    const { bundle } = JSON.parse(canonicalJson(envelope)) as Envelope;
    expect(bundleDigest(bundle)).toBe(envelope.digest);
    const set = loadFromRaw(bundle.sections, "algobrain", environment);
    expect(set.ok && policyDigest(set.value)).toBe(policyDigest(loaded.value.set));
  },
);

const raised = (bundle: Envelope["bundle"]): Envelope["bundle"] => ({
  ...bundle,
  sections: {
    ...bundle.sections,
    retention: { ...(bundle.sections.retention as JsonObject), events_retention_days: 1 },
  },
});
const withoutReceivers = () => {
  const routes = { ...(BUNDLE.sections.routes as JsonObject), receivers: {} };
  return seal({ ...BUNDLE, sections: { ...BUNDLE.sections, routes } }, 42, KEY);
};

const HARMFUL: readonly (readonly [string, unknown, Refusal, RegExp])[] = [
  [
    "a foreign signature",
    seal(BUNDLE, 42, FOREIGN),
    "signature-unknown-key",
    /signed by key [0-9a-f]{8}, but pinned here: [0-9a-f]{8}; .*POLICY_PUBLIC_KEY/,
  ],
  [
    "a foreign signature under the name of our key",
    { ...GOOD, signature: { ...seal(BUNDLE, 42, FOREIGN).signature, keyId: KEY.publicKey.id } },
    "signature-invalid",
    /something was changed after signing/,
  ],
  [
    "content changed after signing",
    { ...GOOD, bundle: raised(BUNDLE) },
    "digest-mismatch",
    /changed after signing/,
  ],
  [
    "content changed, and its digest with it",
    { ...GOOD, bundle: raised(BUNDLE), digest: bundleDigest(raised(BUNDLE)) },
    "signature-invalid",
    /has not signed this digest/,
  ],
  [
    "what it requires taken out after signing",
    { ...GOOD, bundle: { ...BUNDLE, requires: { schema: 1, runbooks: {} } } },
    "digest-mismatch",
    /changed after signing/,
  ],
  ["a revision re-labelled", { ...GOOD, revision: 43 }, "signature-invalid", /revision/],
  ["a commit re-labelled", { ...GOOD, commit: "0123abc" }, "signature-invalid", /commit/],
  [
    "an environment re-labelled",
    {
      ...seal(bundleOf("staging"), 42, KEY),
      bundle: { ...bundleOf("staging"), environment: "local" },
    },
    "signature-invalid",
    /environment/,
  ],
  [
    "an old revision replayed",
    seal(BUNDLE, 41, KEY),
    "revision-not-newer",
    /revision 41 is not newer than 41: to go back, publish the older policies/,
  ],
  [
    "another environment's bundle",
    seal(bundleOf("staging"), 42, KEY),
    "wrong-environment",
    /made for staging, this is local/,
  ],
  [
    "another system's bundle",
    seal({ ...BUNDLE, system: "billing" }, 42, KEY),
    "wrong-system",
    /"billing"/,
  ],
  [
    "a revision that leaves no room",
    seal(BUNDLE, 2 ** 52, KEY),
    "revision-out-of-range",
    /more than 10000 ahead of 41/,
  ],
  [
    "no receivers at all",
    withoutReceivers(),
    "invalid",
    /^its policies are invalid: .*unknown receiver .*; and \d+ more$/,
  ],
];

describe("refused, each with its reason:", () => {
  test.each(HARMFUL)("%s", (_, envelope, refusal, sentence) => {
    const verdict = verdictOn(envelope);
    expect(verdict).toMatchObject({ ok: false, refusal });
    expect(!verdict.ok && verdict.sentence).toMatch(sentence);
  });

  test("too large, before it is read", () => {
    const text = JSON.stringify(GOOD) + " ".repeat(ENVELOPE_BYTES_MAX);
    expect(verifyEnvelope(text, CONTEXT)).toMatchObject({ ok: false, refusal: "too-large" });
    expect(verifyEnvelope("é".repeat(ENVELOPE_BYTES_MAX / 2 + 1), CONTEXT)).toMatchObject({
      refusal: "too-large",
    });
  });

  const text = JSON.stringify(GOOD);
  test.each([
    ["nothing", "", /not JSON/],
    ["cut off", text.slice(0, -2), /not JSON/],
    ["not an envelope", "[]", /must be object/],
    [
      "an unknown key",
      text.replace(',"digest":"', ',"priority":1,"digest":"'),
      /unknown key "priority"/,
    ],
    ["a later format", text.replace('"format":1', '"format":2'), /\/bundle\/format must be 1/],
    ["an inherited key", text.replace('"sections":{', '"sections":{"__proto__":{},'), /__proto__/],
    ["a number that no column holds", text.replace('"revision":42', '"revision":1e999'), /range/],
    ["revision zero", text.replace('"revision":42', '"revision":0'), /\/revision must be >= 1/],
    [
      "text that no column holds",
      text.replace('"sections":{', '"sections":{"\\u0000":1,'),
      /U\+0000/,
    ],
    [
      "nested without end",
      text.replace('"sections":{', `"sections":{"x":${"[".repeat(50_000)}${"]".repeat(50_000)},`),
      /nested deeper/,
    ],
    ["another algorithm", text.replace("Ed25519", "none"), /algorithm must be "Ed25519"/],
    ["half a signature", text.replace(/..("\}\}$)/, "$1"), /signature\/value/],
  ])("malformed: %s", (_, malformed, sentence) => {
    const verdict = verifyEnvelope(malformed, CONTEXT);
    expect(verdict).toMatchObject({ ok: false, refusal: "malformed", revision: null });
    expect(!verdict.ok && verdict.sentence).toMatch(sentence);
  });

  test("by a key that is not pinned any more, and believed by any that is", () => {
    expect(verdictOn(GOOD, { keys: [] })).toMatchObject({ refusal: "signature-unknown-key" });
    expect(verdictOn(GOOD, { keys: [FOREIGN.publicKey, KEY.publicKey] }).ok).toBe(true);
    expect(verdictOn(GOOD, { keys: [FOREIGN.publicKey] }).ok).toBe(false);
  });

  test("what it says of itself goes along, for the record", () => {
    expect(verdictOn(seal(BUNDLE, 41, KEY))).toMatchObject({ revision: 41, digest: GOOD.digest });
  });
});

test("whatever byte is changed, nothing else than what was signed is believed", () => {
  const bytes = Buffer.from(JSON.stringify(GOOD));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] = changed[at]! ^ change;
      const verdict = verifyEnvelope(changed.toString("utf8"), CONTEXT);
      if (verdict.ok) expect(verdict.envelope).toEqual(GOOD);
      else expect(verdict.sentence).not.toBe("");
    }),
    { numRuns: 150 },
  );
});

test("a signature is believed in one spelling only", () => {
  const { value } = GOOD.signature;
  const spare = value.slice(0, -1) + String.fromCharCode(value.charCodeAt(value.length - 1) + 1);
  expect(Buffer.from(spare, "base64url")).toEqual(Buffer.from(value, "base64url"));
  const signature = { ...GOOD.signature, value: spare };
  expect(verdictOn({ ...GOOD, signature })).toMatchObject({ ok: false, refusal: "malformed" });
});

describe("revisions", () => {
  test("the newest itself, read again, is no replay; other content under its number is", () => {
    const newest = { newestRevision: 42, newestDigest: GOOD.digest };
    expect(verdictOn(GOOD, newest).ok).toBe(true);
    const other = seal(raised(BUNDLE), 42, KEY);
    expect(verdictOn(other, newest)).toMatchObject({ refusal: "revision-not-newer" });
    expect(verdictOn(GOOD, { newestRevision: 42 }).ok).toBe(false);
  });

  test("may jump, but only so far", () => {
    const far = seal(BUNDLE, 41 + REVISION_STEP_MAX, KEY);
    expect(verdictOn(far).ok).toBe(true);
    expect(verdictOn(far, { newestRevision: 40 }).ok).toBe(false);
  });
});

describe("what a bundle requires", () => {
  const have = { schema: 2, runbooks: { gc: "a".repeat(64), sync: "b".repeat(64) } };

  test("is named when it is not there", () => {
    expect(missingFrom({ schema: 1, runbooks: { gc: "a".repeat(64) } }, have)).toEqual([]);
    const missing = missingFrom(
      { schema: 99, runbooks: { gc: "c".repeat(64), constructor: "d".repeat(64) } },
      have,
    );
    expect(missing).toEqual([
      { what: "schema", needed: 99, have: 2 },
      { what: "runbook", name: "gc" },
      { what: "runbook", name: "constructor" },
    ]);
    expect(describeMissing(missing)).toBe(
      "waiting for an image with schema 99 (this one has 2) and the runbooks gc, constructor as they were published",
    );
  });

  test("sections of a newer schema are no mistake, they wait; of a known one they are", () => {
    const sections = { ...BUNDLE.sections, weather: {} };
    const of = (schema: number) =>
      seal({ ...BUNDLE, sections, requires: { schema, runbooks: {} } }, 42, KEY);
    expect(verdictOn(of(99)).ok).toBe(true);
    expect(verdictOn(of(2))).toMatchObject({ refusal: "invalid" });
  });

  test("are the built runbooks that alerts, automation and access name", () => {
    const rule = makeRule({ levels: [makeLevel({ runbook: "respond" })] });
    const access = makePolicy().access;
    const set = makePolicy({
      alerts: [rule],
      access: {
        ...access,
        rules: [makeAccessRule({ runbook: "gc" })],
      },
    });
    const built = { gc: "1", respond: "2", sync: "3" };
    expect(requiresOf(set, built).runbooks).toEqual({ gc: "1", respond: "2" });
    // Planned ones are named and not built: nobody needs them.
    expect(requiresOf(set, {}).runbooks).toEqual({});
  });
});

test("changes of machines are told apart from those of the runtime", () => {
  const edited = (path: string, from: string, to: string) =>
    bundleOf("local", { files: withEdit(`policies/algobrain/${path}`, from, to).files });
  expect(
    infrastructureChanges(BUNDLE, edited("healing.yaml", "crashMax: 3", "crashMax: 4")),
  ).toEqual([]);
  const colder = edited("retention.yaml", "logs_retention_days: 30", "logs_retention_days: 14");
  expect(infrastructureChanges(BUNDLE, colder)).toEqual(["retention.logs_retention_days"]);
  expect(infrastructureChanges(null, BUNDLE)).toContain("scaling");
});

test("a public key of another kind is none", () => {
  expect(rawKeyOf(Buffer.from(KEY.publicKey.raw, "base64"))).toBeNull();
});
