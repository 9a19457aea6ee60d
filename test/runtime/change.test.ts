import { describe, expect, it } from "vitest";
import { createGitHubHost } from "../../src/adapter/github-host.js";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import type { ChangeRequest } from "../../src/review/change-request.js";
import type { GitHost } from "../../src/review/port.js";
import { createProposeChange } from "../../src/runtime/change.js";
import { DependencyBoard } from "../../src/runtime/dependency-board.js";
import { createDependencyGuard } from "../../src/runtime/dependency-guard.js";
import { guardGitHost } from "../../src/runtime/guarded-ports.js";
import { followChangesTick } from "../../src/runtime/tick/follow-changes.js";
import type { Database } from "../../src/store/database.js";
import { faultOf, never } from "../contract/delivery.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { readPolicyFiles } from "../support/policy-files.js";

const NOW = new Date("2030-01-28T12:00:00.000Z");
const WISH: ChangeRequest = {
  changes: [{ path: ["retention", "events_retention_days"], value: 60 }],
  ...{ environment: "production", reason: "less disk", by: "cli:ann" },
};

const STAGING = { path: ["retention", "events_retention_days"], value: 5 } as const;

interface Ground {
  readonly db: Database;
  readonly github: StandInGitHub;
  readonly host: GitHost;
}

function withGround(test: (ground: Ground) => Promise<void>): Promise<void> {
  return withDatabase(async (db) => {
    const place = { repository: "acme/shop", token: "ghp_x" };
    const github = await startStandInGitHub({ ...place, files: readPolicyFiles() });
    const auth = { kind: "token", token: place.token } as const;
    const host = createGitHubHost({ ...{ auth, apiUrl: github.url }, repository: "acme/shop" });
    try {
      await test({ db, github, host });
    } finally {
      await github.close();
    }
  });
}

const ask = ({ db, host }: Pick<Ground, "db" | "host">, wish = WISH) =>
  createProposeChange({ db, host, now: () => NOW, environment: "production" })(wish, never());

const rows = async (db: Database) =>
  (
    await db.query<{ status: string; number: number | null; error: string | null }>(
      "SELECT status, number, error FROM control.config_change ORDER BY created_at",
    )
  ).rows;

/** The process is killed behind this call: what it did stays, and nobody hears of it. */
const killedBehind = (host: GitHost, call: "findPullRequest" | "openPullRequest"): GitHost => ({
  ...host,
  [call]: async (...args: never[]) => {
    await (host[call] as (...args: never[]) => Promise<unknown>)(...args);
    throw fault.transient("KILLED", "killed");
  },
});

describe("a change that is asked for", () => {
  it.each(["findPullRequest", "openPullRequest"] as const)(
    "and killed behind %s is the same pull request when it is asked for again",
    (call) =>
      withGround(async ({ db, github, host }) => {
        expect(await faultOf(ask({ db, host: killedBehind(host, call) }))).toMatchObject({
          code: "KILLED",
        });
        expect(await rows(db)).toMatchObject([{ status: "failed", error: "killed" }]);
        const { outcome } = await ask({ db, host });
        expect(outcome).toBe(call === "openPullRequest" ? "already-open" : "opened");
        expect(await rows(db)).toEqual([{ status: "open", number: 1, error: null }]);
        expect(github.pulls.list()).toHaveLength(1);
      }),
  );

  it("shows how many rows the smaller number deletes", () =>
    withGround(async ({ db, github, host }) => {
      await db.query(
        `INSERT INTO events (event_type, created_at) SELECT 'x', $1::timestamptz - day * interval '1 day'
         FROM unnest(ARRAY[10, 70, 80, 100]) AS day`,
        [NOW],
      );
      await ask({ db, host });
      await ask({ db, host }, { ...WISH, environment: "staging", changes: [STAGING] });
      const [production, staging] = github.pulls.list().map(({ body }) => body);
      expect(production).toContain("- events: 2 more (3 instead of 1)");
      // They are not the rows of that environment.
      expect(staging).not.toContain("events:");
    }));

  it("by two at once is one pull request and one row", () =>
    withGround(async ({ db, github, host }) => {
      const both = await Promise.all([ask({ db, host }), ask({ db, host })]);
      expect(both.map((one) => "pullRequest" in one && one.pullRequest.number)).toEqual([1, 1]);
      expect([github.pulls.list().length, await rows(db)]).toMatchObject([1, [{ status: "open" }]]);
    }));

  it("of a repository without policies says which setting to look at", () =>
    withGround(async ({ db, host }) => {
      const empty: GitHost = { ...host, readFiles: async () => [] };
      expect(await faultOf(ask({ db, host: empty }))).toMatchObject({
        ...{ kind: "refused", code: "CHANGE_WITHOUT_POLICIES" },
        hint: expect.stringContaining("GITOPS_REPO"),
      });
      expect(await rows(db)).toEqual([]);
    }));

  it("that is not valid leaves no row and calls no writing of GitHub", () =>
    withGround(async ({ db, github, host }) => {
      const value = 0;
      const wrong = { ...WISH, changes: [{ path: WISH.changes[0]!.path, value }] };
      expect((await ask({ db, host }, wrong)).outcome).toBe("invalid");
      expect(await rows(db)).toEqual([]);
      expect(github.requests.filter((request) => !request.startsWith("GET"))).toEqual([]);
    }));
});

describe("a change that waits for people", () => {
  it("is followed on GitHub too, since a webhook that failed is not sent again", () =>
    withGround(async ({ db, github, host }) => {
      const tick = followChangesTick({ db, host });
      const follow = async () => {
        await tick.run(NOW, never());
        return (await rows(db)).map(({ status, number }) => [status, number]);
      };
      await ask({ db, host });
      expect(await follow()).toEqual([["open", 1]]);
      github.pulls.close(1);
      await ask({ db, host });
      expect(await follow()).toEqual([["open", 2]]);
      github.pulls.merge(2);
      expect(await follow()).toEqual([["merged", 2]]);
    }));
});

describe("GitHub behind its guard", () => {
  it("is left alone by everybody once it has asked us to slow down", () =>
    withGround(async ({ db, github, host }) => {
      const clock = { now: () => NOW, sleep: async () => {} };
      const quiet = { log: silentLogger, emit: () => {}, notify: async () => {} };
      const deps = { db, clock, ...quiet, policy: () => makePolicy() };
      const board = new DependencyBoard(deps);
      const guarded = guardGitHost(host, createDependencyGuard({ ...deps, board }));
      const body = { message: "You have exceeded a secondary rate limit." };
      github.misbehave({ kind: "answer", answer: { status: 403, body } });
      expect(await faultOf(guarded.head(never()))).toMatchObject({ code: "GITHUB_RATE_LIMITED" });
      const calls = github.requests.length;
      expect(await faultOf(ask({ db, host: guarded }))).toMatchObject({
        ...{ kind: "waiting", code: "DEPENDENCY_GATED" },
      });
      expect(github.requests).toHaveLength(calls);
    }));
});
