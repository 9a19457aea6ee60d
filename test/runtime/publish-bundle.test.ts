/** Publishing on top of others: in memory, with a place whose newest changes under the publisher's hands. */
import { sign } from "node:crypto";
import { expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import { verifyEnvelope } from "../../src/policy/envelope.js";
import type { Envelope } from "../../src/policy/envelope-types.js";
import { type BundlePlace, publishBundle } from "../../src/runtime/publish-bundle.js";
import { faultOf, never } from "../contract/delivery.js";
import { bundleOf, newKey, seal } from "../policy/sealed.js";

const KEY = newKey();
const BUNDLE = bundleOf();
const OTHER = bundleOf("local", { previewed: { events: 1 } });

/** @param faster what others publish just before each of our tries */
function placeOf(present: Envelope | null, faster: Envelope[] = []) {
  let newest = present;
  const place: BundlePlace = {
    name: "memory",
    fetch: async () => newest && { text: JSON.stringify(newest), tag: newest.signature.value },
    put: async ({ text }, expect) => {
      newest = faster.shift() ?? newest;
      if ((newest?.signature.value ?? null) !== expect)
        throw fault.refused("POLICY_PUBLISH_RACED", "another was faster");
      newest = JSON.parse(text) as Envelope;
      return { tag: newest.signature.value, version: null };
    },
  };
  return { place, newest: () => newest };
}

const publishTo = (place: BundlePlace) =>
  publishBundle(
    {
      ...{ place, trusted: [KEY.publicKey], runtimeKindsOnly: false, now: () => new Date(0) },
      signer: {
        keyId: KEY.publicKey.id,
        sign: async (bytes: Buffer) => sign(null, bytes, KEY.privateKey),
      },
    },
    BUNDLE,
    "0123abc",
    never(),
  );

test("who was beaten once signs anew, on top of the other", async () => {
  const { place, newest } = placeOf(seal(OTHER, 7, KEY), [seal(OTHER, 8, KEY)]);
  expect(await publishTo(place)).toMatchObject({ outcome: "published", revision: 9 });
  const verdict = verifyEnvelope(JSON.stringify(newest()), {
    ...{ keys: [KEY.publicKey], system: "algobrain", environment: "local", newestRevision: 8 },
  });
  expect(verdict).toMatchObject({ ok: true, envelope: { revision: 9, commit: "0123abc" } });
});

test("who was beaten by the same content has nothing left to publish", async () => {
  const { place } = placeOf(seal(OTHER, 7, KEY), [seal(BUNDLE, 8, KEY)]);
  expect(await publishTo(place)).toMatchObject({ outcome: "unchanged", revision: 8 });
});

test("who is beaten twice gives up, and says so", async () => {
  const faster = [seal(OTHER, 8, KEY), seal(OTHER, 9, KEY)];
  const { place, newest } = placeOf(seal(OTHER, 7, KEY), faster);
  expect(await faultOf(publishTo(place))).toMatchObject({ code: "POLICY_PUBLISH_RACED" });
  expect(newest()).toMatchObject({ revision: 9 });
});

test("revisions go on however high they are", async () => {
  const { place } = placeOf(seal(OTHER, 1_000_000, KEY));
  expect(await publishTo(place)).toMatchObject({ outcome: "published", revision: 1_000_001 });
});

test("policies that the checks of today do not take are replaced; what nobody believes is not", async () => {
  const broken = { ...OTHER, sections: { ...OTHER.sections, routes: {} } };
  expect(await publishTo(placeOf(seal(broken, 7, KEY)).place)).toMatchObject({ revision: 8 });
  const foreign = placeOf(seal(OTHER, 2 ** 52, newKey()));
  expect(await faultOf(publishTo(foreign.place))).toMatchObject({
    ...{ kind: "refused", code: "POLICY_PUBLISHED_FOREIGN" },
  });
  expect(foreign.newest()).toMatchObject({ revision: 2 ** 52 });
});
