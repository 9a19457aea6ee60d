/** With which policy a start goes on: that of the files, that which was adopted, or the bundle that lies there. */
import { describe, expect, it } from "vitest";
import { beginPolicy, type PolicyOrigin, publish } from "../../src/main/policy.js";
import { readConfig } from "../../src/runtime/config.js";
import { readBundle } from "../../src/store/policy-bundles.js";
import { loadShipped, shippedSections } from "../fixture/policy/sections.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { makeKey, signBundle, TestSource } from "../support/sign-bundle.js";

const KEY = makeKey();
const KEYS = [KEY.publicKey];

function configOf(env: Readonly<Record<string, string>> = {}) {
  const read = readConfig(env);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return { config: read.value };
}

const PINNED = configOf({ POLICY_PUBLIC_KEY: KEY.publicKey.raw });
const FILES: PolicyOrigin = { loaded: loadShipped(), source: null, keys: KEYS };

function bundlesAt(source: TestSource): PolicyOrigin {
  return { loaded: null, source, keys: KEYS };
}

describe("a start that reads files", () => {
  it("puts them in force, whatever was in force before", () =>
    withDatabase(async (db) => {
      await publish(db, makePolicy({ environment: "local" }), "another");
      const begun = await beginPolicy(db, FILES, configOf());
      expect(begun).toMatchObject({ revision: 2, bundleRevision: null });
      expect(begun.sections).toEqual(shippedSections());
      expect(await beginPolicy(db, FILES, configOf())).toMatchObject({ revision: 2 });
    }));

  it("and pins a key begins with them only where nothing is in force", () =>
    withDatabase(async (db) => {
      expect(await beginPolicy(db, FILES, PINNED)).toMatchObject({ revision: 1 });
      const adopted = await publish(db, makePolicy({ environment: "local" }), "adopted");
      const again = await beginPolicy(db, FILES, PINNED);
      expect(again).toMatchObject({ revision: 2, digest: adopted.digest });
    }));
});

describe("a start that reads bundles", () => {
  it("takes the first that lies there, and later goes on without the place", () =>
    withDatabase(async (db) => {
      const source = new TestSource();
      source.put(signBundle(KEY, { sections: shippedSections(), revision: 3, commit: "c0ffee1" }));
      const begun = await beginPolicy(db, bundlesAt(source), PINNED);
      expect(begun).toMatchObject({ revision: 1, bundleRevision: 3, commit: "c0ffee1" });
      expect(await readBundle(db, 3)).toMatchObject({ status: "adopted", inForce: 1 });
      source.away = new Error("connect ECONNREFUSED");
      expect(await beginPolicy(db, bundlesAt(source), PINNED)).toMatchObject({ revision: 1 });
    }));

  it("starts nothing when there is none, none answers, or none is believed", () =>
    withDatabase(async (db) => {
      const source = new TestSource();
      const begin = () => beginPolicy(db, bundlesAt(source), PINNED);
      await expect(begin()).rejects.toMatchObject({ code: "POLICY_SOURCE_EMPTY" });
      source.away = new Error("connect ECONNREFUSED");
      await expect(begin()).rejects.toMatchObject({ code: "POLICY_SOURCE_LOST" });
      source.away = null;
      source.put(signBundle(makeKey(), { sections: shippedSections(), revision: 1 }));
      await expect(begin()).rejects.toMatchObject({ code: "POLICY_BUNDLE_REFUSED" });
      source.put(signBundle(KEY, { sections: {}, revision: 1, schema: 99 }));
      await expect(begin()).rejects.toMatchObject({
        ...{ code: "POLICY_BUNDLE_REFUSED", message: expect.stringContaining("schema 99") },
      });
    }));
});
