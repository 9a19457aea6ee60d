import { expect, test } from "vitest";
import { readPublished } from "../../src/main/policy.js";
import { beginOverride, endOverrideNow } from "../../src/runtime/override-policy.js";
import { createServer } from "../../src/web/server.js";
import { layGround } from "../support/adoption-ground.js";
import { withDatabase } from "../support/database.js";
import { injectAs, makeDeps } from "./harness.js";

const OVERRIDES = "/api/v1/policy/overrides";
const WANTED = {
  ...{ path: "workers.index.concurrency", value: 2, reason: "slow disk", for: "4h" },
};

test("emergency settings are begun and ended by admins, and seen by everybody", () =>
  withDatabase(async (db) => {
    await layGround(db);
    const deps = { db, notify: async () => {}, load: () => readPublished(db), proposeChange: null };
    const overrides = {
      begin: (wanted: Parameters<typeof beginOverride>[1]) => beginOverride(deps, wanted),
      end: (id: number, by: string) => endOverrideNow(deps, id, by),
    };
    const app = await createServer(makeDeps(db, { overrides }));
    const post = (role: "admin" | "operator", payload: object) =>
      injectAs(app, role, { method: "POST", url: OVERRIDES, payload });
    try {
      expect((await post("operator", WANTED)).statusCode).toBe(403);
      const begun = await post("admin", WANTED);
      expect(begun.statusCode).toBe(201);
      expect(begun.json()).toMatchObject({
        override: { id: 1, path: WANTED.path, value: 2, ended_at: null },
        ...{ pull_request: null, note: expect.stringContaining("GITOPS_REPO") },
      });
      expect((await post("admin", WANTED)).json()).toMatchObject({ code: "state-conflict" });
      const bad = await post("admin", { ...WANTED, path: "access.groups" });
      expect(bad.statusCode).toBe(422);
      expect((await post("admin", { ...WANTED, for: "73h" })).statusCode).toBe(422);
      const list = await injectAs(app, "viewer", { method: "GET", url: OVERRIDES });
      expect(list.json()).toMatchObject({ overrides: [{ id: 1, reason: "slow disk" }] });
      const end = () => injectAs(app, "admin", { method: "DELETE", url: `${OVERRIDES}/1` });
      expect((await end()).json()).toMatchObject({ ended_by: "api:test-admin" });
      expect((await end()).statusCode).toBe(404);
    } finally {
      await app.close();
    }
  }));
