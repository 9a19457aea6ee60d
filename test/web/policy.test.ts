import { createHash, sign } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createPolicyApi } from "../../src/adapter/policy-api.js";
import { DAY_MS } from "../../src/base/duration.js";
import type { Envelope } from "../../src/policy/envelope-types.js";
import { publishBundle } from "../../src/runtime/publish-bundle.js";
import { receiveBundle } from "../../src/runtime/receive-bundle.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { setBundleStatus } from "../../src/store/policy-bundles.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import type { PublishAnswer, PublishEnvelope } from "../../src/web/deps.js";
import { createServer } from "../../src/web/server.js";
import { faultOf, never } from "../contract/delivery.js";
import { bundleOf, newKey, seal } from "../policy/sealed.js";
import { withEdit } from "../policy/shipped.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { type Api, injectAs, makeDeps, tokenFor } from "./harness.js";

const POLICY = "/api/v1/policy";
const BUNDLES = "/api/v1/policy/bundles";
const KEY = newKey();
const BUNDLE = bundleOf();

/** Believes and stores, as main joins it for this door. */
const accept = (db: Database, text: string, by: string): Promise<PublishAnswer> =>
  receiveBundle(
    {
      ...{ db, keys: [KEY.publicKey], system: "algobrain", environment: "local" },
      ...{ emit: () => {}, notify: async () => {} },
    },
    { text, by, source: "api", tag: createHash("sha256").update(text).digest("hex") },
  );

/** One for all of them: its tables are emptied after each. */
let lent: TestDatabase;
let app: FastifyInstance;
beforeAll(async () => {
  lent = await createTestDatabase();
  const { db } = lent;
  const publishEnvelope: PublishEnvelope = (text, by) => accept(db, text, by);
  app = await createServer(makeDeps(db, { publishEnvelope }));
});
afterEach(() =>
  lent.db.query(
    "TRUNCATE control.policy_bundle, control.policy_refusal; UPDATE control.safe_mode SET active = false",
  ),
);
afterAll(async () => {
  await app.close();
  await lent.drop();
});

const withDoor = (test: (api: Api) => Promise<void>) =>
  test({ app, db: lent.db, observed: [], as: (role, request) => injectAs(app, role, request) });

const handIn = (api: Api, envelope: Envelope, role: "operator" | "admin" = "admin") =>
  api.as(role, { method: "POST", url: BUNDLES, payload: envelope });

describe("handing a bundle in", () => {
  it("stores what is signed, and shows it to whoever may read", () =>
    withDoor(async (api) => {
      const reply = await handIn(api, seal(BUNDLE, 1, KEY));
      expect([reply.statusCode, reply.json()]).toEqual([202, { revision: 1, outcome: "stored" }]);
      const state = (await api.as("viewer", { url: POLICY })).json();
      expect(state).toMatchObject({
        in_force: null,
        published: { revision: 1, status: "published", source: "api" },
      });
      const shown = (await api.as("viewer", { url: `${BUNDLES}/1` })).json();
      expect(shown.envelope).toEqual(JSON.parse(JSON.stringify(seal(BUNDLE, 1, KEY))));
      expect(await readAuditOfTarget(api.db, "policy:1")).toMatchObject([
        { actor: "api:test-admin", action: "policy.published" },
      ]);
    }));

  it("takes nothing for the token alone, and says which check failed", () =>
    withDoor(async (api) => {
      const foreign = await handIn(api, seal(BUNDLE, 1, newKey()));
      expect(foreign.statusCode).toBe(422);
      expect(foreign.json()).toMatchObject({
        code: "bundle-refused",
        detail: expect.stringMatching(
          /^The bundle is refused \(signature-unknown-key\): signed by/,
        ),
        errors: [{ pointer: "/signature/keyId", message: "signature-unknown-key" }],
      });
      expect((await handIn(api, seal(BUNDLE, 1, KEY), "operator")).statusCode).toBe(403);
      expect((await api.as(null, { method: "POST", url: BUNDLES })).statusCode).toBe(401);
      expect((await api.as("viewer", { url: POLICY })).json()).toMatchObject({ published: null });
    }));

  it("is 409 for what is not newer", () =>
    withDoor(async (api) => {
      await handIn(api, seal(BUNDLE, 2, KEY));
      const replayed = await handIn(api, seal(BUNDLE, 1, KEY));
      expect([replayed.statusCode, replayed.json().code]).toEqual([409, "state-conflict"]);
    }));

  it("works in safe mode: a policy may be what ends it", () =>
    withDoor(async (api) => {
      await enterSafeMode(api.db, { reason: "test", by: "test" });
      expect((await handIn(api, seal(BUNDLE, 1, KEY))).statusCode).toBe(202);
    }));

  it("is 503 where nobody takes it", async () => {
    const other = await createServer(makeDeps(lent.db));
    const payload = seal(BUNDLE, 1, KEY);
    const reply = await injectAs(other, "admin", { method: "POST", url: BUNDLES, payload });
    await other.close();
    expect([reply.statusCode, reply.json().code]).toEqual([503, "not-configured"]);
  });
});

describe("releasing a held one", () => {
  const release = (api: Api, revision: string, payload: object = { reason: "it is meant so" }) =>
    api.as("admin", { method: "POST", url: `${BUNDLES}/${revision}/release`, payload });

  it("lets it go on, with the reason", () =>
    withDoor(async (api) => {
      await handIn(api, seal(BUNDLE, 1, KEY));
      expect((await release(api, "1")).json()).toMatchObject({
        ...{ status: 409, detail: expect.stringContaining("Revision 1 is published") },
      });
      await setBundleStatus(api.db, 1, "published", "held", { reason: "pages newly" });
      expect((await release(api, "1", {})).statusCode).toBe(422);
      expect((await release(api, "1")).json()).toMatchObject({
        ...{ revision: 1, status: "canary", reason: "pages newly" },
        ...{ released_by: "api:test-admin", release_reason: "it is meant so" },
      });
    }));

  it("is 404 for what there is not", () =>
    withDoor(async (api) => {
      for (const revision of ["2", "0", "1e3", "99999999999999999999", "x"]) {
        expect((await release(api, revision)).statusCode, revision).toBe(404);
        const shown = await api.as("viewer", { url: `${BUNDLES}/${revision}` });
        expect(shown.statusCode, revision).toBe(404);
      }
    }));
});

/** `policy publish --to api:…`, over a real socket. */
describe("publishing to the API", () => {
  async function open({ app }: Api) {
    if (!app.server.listening) await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const token = await tokenFor("admin");
    return createPolicyApi({ url: `http://127.0.0.1:${port}`, token, bytesMax: 1_048_576 });
  }
  const publishing = (place: Awaited<ReturnType<typeof open>>, key = KEY) => ({
    place,
    signer: {
      keyId: key.publicKey.id,
      sign: async (bytes: Buffer) => sign(null, bytes, key.privateKey),
    },
    trusted: [KEY.publicKey],
    now: () => new Date(DAY_MS),
    runtimeKindsOnly: false,
  });
  const edited = () => {
    const { files } = withEdit("policies/algobrain/healing.yaml", "crashMax: 3", "crashMax: 4");
    return bundleOf("local", { files });
  };

  it("goes on top of what is there, and says nothing twice", () =>
    withDoor(async (api) => {
      const place = await open(api);
      const publish = (bundle = BUNDLE) =>
        publishBundle(publishing(place), bundle, "0123abc", never());
      expect(await publish()).toMatchObject({ outcome: "published", revision: 1 });
      expect(await publish()).toMatchObject({ outcome: "unchanged", revision: 1 });
      expect(await publish(edited())).toMatchObject({ outcome: "published", revision: 2 });
    }));

  it("is told when the key is not believed there, and when another was faster", () =>
    withDoor(async (api) => {
      const place = await open(api);
      const foreign = newKey();
      expect(
        await faultOf(publishBundle(publishing(place, foreign), BUNDLE, null, never())),
      ).toMatchObject({ code: "POLICY_PUBLISH_REFUSED" });
      await handIn(api, seal(BUNDLE, 3, KEY));
      const late = place.put(
        { text: JSON.stringify(seal(edited(), 3, KEY)), revision: 3 },
        null,
        never(),
      );
      expect(await faultOf(late)).toMatchObject({ code: "POLICY_PUBLISH_RACED" });
    }));

  it("does not build on what a foreign key has signed", () =>
    withDoor(async (api) => {
      await handIn(api, seal(BUNDLE, 1, KEY));
      const place = await open(api);
      const trusted = [newKey().publicKey];
      expect(
        await faultOf(publishBundle({ ...publishing(place), trusted }, edited(), null, never())),
      ).toMatchObject({ kind: "refused", code: "POLICY_PUBLISHED_FOREIGN" });
    }));
});
