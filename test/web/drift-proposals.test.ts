/** Who may tell what a look at drift has found, in which form, and what comes of it. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { HOUR_MS } from "../../src/base/duration.js";
import { fault } from "../../src/base/fault.js";
import type { DriftLook, ProposeDrift } from "../../src/review/infra/drift-proposals.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { issueToken } from "../../src/web/token.js";
import { type Api, SECRET, withApi } from "./harness.js";

const PATH = "/api/v1/drift/proposals";
const NOW = new Date("2030-01-28T12:00:00.000Z");
const WORKERS = "aws_appautoscaling_target.workers-scaling-target";
const clock = { ...systemClock, now: () => NOW };
const LOOK = {
  ...{ environment: "local", looked_at: "2030-01-28T11:59:00.000Z", held: [WORKERS] },
  values: [{ address: WORKERS, attribute: "max_capacity", value: 130 }],
};

async function tokenFor(purpose: "drift" | null): Promise<string> {
  const request = { subject: "github", role: "viewer", purpose, ttlMs: HOUR_MS, now: NOW } as const;
  return (await issueToken(request, [SECRET])).token;
}

async function tell({ app }: Api, payload: object, purpose: "drift" | null = "drift") {
  const headers = { authorization: `Bearer ${await tokenFor(purpose)}` };
  return app.inject({ method: "POST", url: PATH, payload, headers });
}

const told: ProposeDrift = async () => ({
  ...{ outcome: "told", ended: [] },
  proposals: [
    {
      ...{ path: "scaling.workers.max", value: 130, outcome: "opened", why: null },
      pullRequest: { number: 7, url: "https://github.com/acme/shop/pull/7" },
    },
  ],
});

/** What the runtime was told. */
function withDrift(test: (api: Api, looks: DriftLook[]) => Promise<void>, answer = told) {
  const looks: DriftLook[] = [];
  const proposeDrift: ProposeDrift = (look, signal) => {
    looks.push(look);
    return answer(look, signal);
  };
  return withApi((api) => test(api, looks), { clock, proposeDrift });
}

describe("POST /api/v1/drift/proposals", () => {
  it("takes a whole look from a token that was made for it, and names the pull requests", () =>
    withDrift(async (api, looks) => {
      const reply = await tell(api, LOOK);
      expect([reply.statusCode, reply.json()]).toEqual([
        200,
        {
          proposals: [
            {
              ...{ path: "scaling.workers.max", value: 130, outcome: "opened", why: null },
              pull_request: { number: 7, url: "https://github.com/acme/shop/pull/7" },
            },
          ],
          ended: [],
        },
      ]);
      expect(looks).toEqual([
        {
          ...{ environment: "local", values: LOOK.values, held: [WORKERS], by: "github" },
          lookedAt: new Date(LOOK.looked_at),
        },
      ]);
    }));

  it("is for no role: neither a viewer's token nor an admin's is enough, and none is none", () =>
    withDrift(async (api, looks) => {
      expect((await tell(api, LOOK, null)).statusCode).toBe(403);
      // Tokens of the harness are of this hour, not of that of the test.
      for (const role of ["viewer", "operator", "admin"] as const) {
        const request = { subject: "x", role, ttlMs: HOUR_MS / 4, now: NOW };
        const { token } = await issueToken(request, [SECRET]);
        const headers = { authorization: `Bearer ${token}` };
        const reply = await api.app.inject({ method: "POST", url: PATH, payload: LOOK, headers });
        expect([role, reply.statusCode]).toEqual([role, 403]);
      }
      const bare = await api.app.inject({ method: "POST", url: PATH, payload: LOOK });
      expect([bare.statusCode, looks]).toEqual([401, []]);
    }));

  it("gives its token no more than reading besides", () =>
    withDrift(async ({ app }) => {
      const headers = { authorization: `Bearer ${await tokenFor("drift")}` };
      const get = await app.inject({ url: "/api/v1/temporary-changes", headers });
      expect(get.statusCode).toBe(200);
      const payload = { changes: [{ path: "scaling.workers.max", value: 1 }], reason: "x" };
      const changes = { method: "POST", url: "/api/v1/config/changes", headers, payload } as const;
      expect((await app.inject(changes)).statusCode).toBe(403);
    }));

  it.each([
    ["of another environment", { environment: "production" }, "/environment"],
    ["of the future", { looked_at: "2030-01-28T12:06:00.000Z" }, "/looked_at"],
    ["of this morning", { looked_at: "2030-01-28T09:59:00.000Z" }, "/looked_at"],
    ["with a value that is text", { values: [{ ...LOOK.values[0], value: "many" }] }, "/values/0"],
    ["with a value below nothing", { values: [{ ...LOOK.values[0], value: -1 }] }, "/values/0"],
    ["with a path of the policies", { values: [{ path: "a.b", value: 1 }] }, "/values/0"],
    ["with an address that is none", { held: ["x; rm -rf /"] }, "/held/0"],
    ["with more than there are", { values: Array(51).fill(LOOK.values[0]) }, "/values"],
    ["with what is not known", { force: true }, ""],
  ])("refuses a look %s, and says where", (_, wrong, pointer) =>
    withDrift(async (api, looks) => {
      const reply = await tell(api, { ...LOOK, ...wrong });
      expect(reply.statusCode).toBe(422);
      const pointers = reply.json().errors.map((one: { pointer: string }) => one.pointer);
      expect(pointers.join(" ")).toContain(pointer);
      expect(looks).toEqual([]);
    }),
  );

  it.each([
    ["unknown", 422, "invalid-body"],
    ["busy", 503, "busy"],
    ["older", 409, "state-conflict"],
  ] as const)("answers what was not told (%s) with what to do", (outcome, status, code) =>
    withDrift(
      async (api) => {
        const reply = await tell(api, LOOK);
        expect([reply.statusCode, reply.json()]).toMatchObject([status, { code }]);
      },
      async () => ({ outcome }),
    ),
  );

  it("says when GitHub does not answer, and when there is no repository", async () => {
    const away = fault.transient("GITHUB_UNREACHABLE", "GitHub did not answer");
    await withDrift(
      async (api) => {
        const reply = await tell(api, LOOK);
        expect([reply.statusCode, reply.json().code]).toEqual([503, "github-unavailable"]);
        expect(reply.headers["retry-after"]).toBe("30");
      },
      () => Promise.reject(away),
    );
    await withApi(
      async (api) => {
        const reply = await tell(api, LOOK);
        expect(reply.json()).toMatchObject({
          ...{ status: 409, code: "gitops-not-configured" },
          detail: expect.stringContaining("GITHUB_APP_"),
        });
      },
      { clock },
    );
  });

  it("is refused in safe mode", () =>
    withDrift(async (api, looks) => {
      await enterSafeMode(api.db, { reason: "restored", by: "cli:ann" });
      const reply = await tell(api, LOOK);
      expect([reply.json().code, looks]).toEqual(["safe-mode", []]);
    }));
});
