import { describe, expect, it } from "vitest";
import { createGitHubHost } from "../../src/adapter/github-host.js";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { systemClock } from "../../src/base/clock.js";
import { createProposeChange } from "../../src/runtime/change.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { readPolicyFiles } from "../support/policy-files.js";
import { type Api, fingerprint, GITHUB_SECRET, withApi } from "./harness.js";

const GC = "/api/v1/config/gc";
const CHANGES = "/api/v1/config/changes";
const RETENTION = "policies/algobrain/retention.yaml";

/** The API with a repository that holds our own policies. */
function withGitHub(test: (api: Api, github: StandInGitHub) => Promise<void>): Promise<void> {
  let db: Database | null = null;
  let github: StandInGitHub | null = null;
  const propose = () => {
    const host = createGitHubHost({
      ...{ repository: "acme/shop", apiUrl: github!.url, timeoutMs: 2_000 },
      auth: { kind: "token", token: "ghp_x" },
    });
    return createProposeChange({
      ...{ host, db: db!, now: () => systemClock.now() },
      environment: "local",
    });
  };
  return withApi(
    async (api) => {
      db = api.db;
      github = await startStandInGitHub({
        ...{ repository: "acme/shop", token: "ghp_x", files: readPolicyFiles() },
      });
      try {
        await test(api, github);
      } finally {
        await github.close();
      }
    },
    { proposeChange: (request, signal) => propose()(request, signal) },
  );
}

const patch = (api: Api, payload: object, role: "operator" | "admin" = "admin") =>
  api.as(role, { method: "PATCH", url: GC, payload });
const post = (api: Api, payload: object) =>
  api.as("admin", { method: "POST", url: CHANGES, payload });

describe("PATCH /api/v1/config/gc (EP-06)", () => {
  it("opens a pull request with one changed line, and touches nothing that is in force", () =>
    withGitHub(async (api, github) => {
      const before = await fingerprint(api.db);
      const reply = await patch(api, { events_retention_days: 60 });
      expect([reply.statusCode, reply.json()]).toMatchObject([
        202,
        {
          pull_request: { number: 1, url: "https://github.com/acme/shop/pull/1" },
          ...{ created: true, risk: "irreversible" },
          diff: [
            {
              ...{ file: RETENTION, before: "events_retention_days: 90" },
              after: "events_retention_days: 60",
            },
          ],
        },
      ]);
      const [pull] = github.pulls.list();
      const [old, fresh] = ["main", pull!.head].map((branch) => github.commits.read(branch));
      expect(changedLines(old!, fresh!)).toEqual([
        [RETENTION, "events_retention_days: 90", "events_retention_days: 60"],
      ]);
      expect(pull).toMatchObject({ base: "main", body: expect.stringContaining("api:test-admin") });
      const { "public.audit_log": auditBefore, ...rest } = before;
      const { "public.audit_log": auditAfter, ...restAfter } = await fingerprint(api.db);
      expect([restAfter, auditAfter === auditBefore]).toEqual([rest, false]);
    }));

  it("asked for twice is the same pull request; merged it is nothing to change; reverted, a new one", () =>
    withGitHub(async (api, github) => {
      const ask = async () => (await patch(api, { events_retention_days: 60 })).json();
      const { pull_request } = await ask();
      expect(await ask()).toMatchObject({ pull_request, created: false });
      github.pulls.merge(1);
      expect(await ask()).toEqual({ outcome: "nothing-to-change" });
      github.pulls.revert(1);
      expect(await ask()).toMatchObject({ pull_request: { number: 2 }, created: true });
      github.pulls.close(2);
      expect(await ask()).toMatchObject({ pull_request: { number: 3 }, created: true });
    }));

  it("without a repository is a 409 that names the remedy", () =>
    withApi(async (api) => {
      const reply = await patch(api, { events_retention_days: 60 });
      expect([reply.statusCode, reply.json()]).toMatchObject([
        409,
        { code: "gitops-not-configured", detail: expect.stringContaining("set GITOPS_REPO") },
      ]);
    }));

  it("takes an admin, the four keys and days that can be, and is refused in safe mode", () =>
    withGitHub(async (api, github) => {
      expect((await patch(api, { events_retention_days: 60 }, "operator")).statusCode).toBe(403);
      for (const [body, pointer] of [
        [{ event_retention_days: 60 }, "event_retention_days"],
        [{ events_retention_days: 0 }, "/events_retention_days"],
        [{ events_retention_days: "60" }, "/events_retention_days"],
        [{}, ""],
      ] as const) {
        const reply = await patch(api, body);
        expect([body, reply.statusCode]).toEqual([body, 422]);
        expect(JSON.stringify(reply.json().errors)).toContain(pointer);
      }
      await enterSafeMode(api.db, { reason: "test", by: "test" });
      expect((await patch(api, { events_retention_days: 60 })).statusCode).toBe(503);
      expect(github.requests).toEqual([]);
    }));

  it("says so when GitHub is away, and asked again finds what was begun", () =>
    withGitHub(async (api, github) => {
      await patch(api, { jobs_retention_days: 90 });
      // The last call of a try makes the pull request: its answer is lost.
      const before = github.requests.length - 1;
      const honest = Array.from({ length: before }, () => ({ kind: "honest" }) as const);
      github.misbehave(...honest, { kind: "drop-answer" });
      const reply = await patch(api, { events_retention_days: 60 });
      expect([reply.statusCode, reply.json().code]).toEqual([503, "github-unavailable"]);
      expect(reply.headers["retry-after"]).toBe("30");
      expect((await patch(api, { events_retention_days: 60 })).json()).toMatchObject({
        pull_request: { number: 2 },
        created: false,
      });
    }));
});

describe("GET /api/v1/config/gc (EP-07)", () => {
  it("tells what is in force and what waits for people, until GitHub says that it was merged", () =>
    withGitHub(async (api, github) => {
      const read = async () => (await api.as("viewer", { url: GC })).json();
      expect(await read()).toMatchObject({
        values: { events_retention_days: expect.any(Number) },
        pending: null,
      });
      await patch(api, { events_retention_days: 60 });
      expect(await read()).toMatchObject({ pending: { pull_request: { number: 1 } } });
      const door = await api.app.listen({ host: "127.0.0.1", port: 0 });
      github.subscribe({ url: `${door}/webhooks/github`, secret: GITHUB_SECRET });
      github.pulls.merge(1);
      await github.settled();
      expect(github.deliveries().map(({ status }) => status)).toEqual([202, 202]);
      expect(await read()).toMatchObject({ pending: null });
    }));
});

describe("POST /api/v1/config/changes", () => {
  it("changes any value of the policies, with a reason that is audited", () =>
    withGitHub(async (api, github) => {
      const change = { path: "alerts.queue-depth-high.levels.high.value", value: 1_200 };
      const reply = await post(api, { changes: [change], reason: "it fires too early" });
      expect([reply.statusCode, reply.json().risk]).toEqual([202, "looser"]);
      const key = github.pulls.list()[0]!.head.replace("algobrain/change-", "");
      expect(await readAuditOfTarget(api.db, `change:${key}`)).toMatchObject([
        {
          ...{ actor: "api:test-admin", action: "change.requested" },
          details: { reason: "it fires too early", values: { [change.path]: 1_200 } },
        },
      ]);
    }));

  it("refuses what is no path, and what the checks refuse, with every problem and no pull request", () =>
    withGitHub(async (api, github) => {
      const wrong = await post(api, { changes: [{ path: "retension.x", value: 1 }], reason: "x" });
      expect(wrong.json().errors).toMatchObject([{ pointer: "/changes/0/path" }]);
      const path = "retention.events_retention_days";
      const invalid = await post(api, { changes: [{ path, value: 99_999 }], reason: "x" });
      expect([invalid.statusCode, invalid.json().errors]).toMatchObject([
        422,
        [{ message: expect.stringContaining(`${RETENTION}:`) }],
      ]);
      expect(github.pulls.list()).toEqual([]);
    }));
});

/** File, line before and line after of each line that differs. */
function changedLines(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string[][] {
  return Object.entries(after).flatMap(([path, text]) => {
    const old = (before[path] ?? "").split("\n");
    return text
      .split("\n")
      .flatMap((line, at) => (line === old[at] ? [] : [[path, old[at] ?? "", line]]));
  });
}
