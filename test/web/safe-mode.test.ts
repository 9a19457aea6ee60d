import { describe, expect, it } from "vitest";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import type { LeaveSafeMode } from "../../src/web/deps.js";
import { withApi } from "./harness.js";

const exit = (payload: object = { reason: "a new disk" }) =>
  ({ method: "POST", url: "/api/v1/safe-mode/exit", payload }) as const;

describe("leaving safe mode over the API", () => {
  it("is an admin's, works while it is on, and needs a reason (X-13)", async () => {
    const asked: Parameters<LeaveSafeMode>[0][] = [];
    const leaveSafeMode: LeaveSafeMode = async (request) => {
      asked.push(request);
      return { outcome: "left" };
    };
    await withApi(
      async ({ as, db }) => {
        await enterSafeMode(db, { reason: "disk gone", by: "healdec" });
        expect((await as("operator", exit())).statusCode).toBe(403);
        expect((await as("admin", exit({}))).json()).toMatchObject({ code: "invalid-body" });
        const reply = await as("admin", exit());
        expect([reply.statusCode, reply.json()]).toEqual([200, { active: false, changed: true }]);
        expect(asked).toEqual([{ by: "api:test-admin", reason: "a new disk", force: false }]);
      },
      { leaveSafeMode },
    );
  });

  it("is 409 with what is broken when the data is not whole", () =>
    withApi(
      async ({ as }) => {
        const reply = await as("admin", exit());
        expect(reply.statusCode).toBe(409);
        expect(reply.json()).toMatchObject({
          code: "state-conflict",
          detail: expect.stringContaining('{"force": true}'),
          errors: [{ message: "score-has-repo: 2 rows, such as 7, 9" }],
        });
      },
      {
        leaveSafeMode: async () => ({
          outcome: "checks-failed",
          broken: [{ invariant: "score-has-repo", count: 2, examples: ["7", "9"] }],
        }),
      },
    ));
});

describe("a refusal in safe mode", () => {
  it("is told apart from a failure, so that it counts as no error of ours", () =>
    withApi(async ({ as, db, observed }) => {
      await enterSafeMode(db, { reason: "disk gone", by: "healdec" });
      await as("operator", {
        method: "POST",
        url: "/api/v1/jobs",
        payload: { job_type: "score", payload: { repo_id: "r1" } },
      });
      await as("viewer", { url: "/api/v1/jobs" });
      expect(observed).toMatchObject([
        { status: 503, problem: "safe-mode" },
        { status: 200, problem: null },
      ]);
    }));
});
