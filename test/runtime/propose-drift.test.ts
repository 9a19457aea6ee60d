/** Pull requests for drift on a real database and a stand-in of GitHub: opened once, found again, and closed when they are no more. */
import { describe, expect, it } from "vitest";
import { createGitHubHost } from "../../src/adapter/github-host.js";
import { type StandInGitHub, startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { fault } from "../../src/base/fault.js";
import type { DriftedValue, DriftLook, ToldDrift } from "../../src/review/infra/drift-proposals.js";
import type { GitHost } from "../../src/review/port.js";
import { createProposeChange } from "../../src/runtime/change.js";
import { createProposeDrift } from "../../src/runtime/propose-drift.js";
import { followChangesTick } from "../../src/runtime/tick/follow-changes.js";
import { listAudit } from "../../src/store/audit.js";
import { changeEnded } from "../../src/store/config-changes.js";
import type { Database } from "../../src/store/database.js";
import { takeLease } from "../../src/store/lease.js";
import { faultOf, never } from "../contract/delivery.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { readPolicyFiles } from "../support/policy-files.js";

const NOW = new Date("2030-01-28T12:00:00.000Z");
const WORKERS = "aws_appautoscaling_target.workers-scaling-target";
const API = "aws_appautoscaling_target.api-scaling-target";
const URL_OF = (number: number) => `https://github.com/acme/shop/pull/${number}`;

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

const max = (value: number, address = WORKERS): DriftedValue => ({
  ...{ address, attribute: "max_capacity", value },
});

interface Found extends Partial<DriftLook> {
  /** Minutes after the first look. */
  readonly after?: number;
}

function look({ after = 0, ...found }: Found): DriftLook {
  const lookedAt = new Date(NOW.getTime() + after * 60_000);
  return {
    ...{ environment: "production", values: [], held: [], by: "look" },
    ...{ lookedAt, ...found },
  };
}

const ask = ({ db, host }: Pick<Ground, "db" | "host">, found: Found, atOnce = 5) => {
  const policy = makePolicy();
  const { review } = policy.infrastructure;
  const drift = { ...review.drift, proposals: atOnce };
  const infrastructure = { ...policy.infrastructure, review: { ...review, drift } };
  const propose = createProposeChange({ db, host, now: () => NOW, environment: "production" });
  return createProposeDrift({
    ...{ db, host, propose },
    policy: () => ({ ...policy, infrastructure }),
  })(look(found), never());
};

async function tell(ground: Pick<Ground, "db" | "host">, found: Found): Promise<ToldDrift> {
  const told = await ask(ground, found);
  if (told.outcome !== "told") throw new Error(`found ${told.outcome}`);
  return told;
}

/** Number and state of each, oldest first. */
const pulls = ({ github }: Pick<Ground, "github">) =>
  github.pulls.list().map(({ number, state }) => `${number} ${state}`);

/** The process is killed behind this call: what it did stays, and nobody hears of it. */
const killedBehind = (host: GitHost, call: keyof GitHost): GitHost => ({
  ...host,
  [call]: async (...args: never[]) => {
    await (host[call] as (...args: never[]) => Promise<unknown>)(...args);
    throw fault.transient("KILLED", "killed");
  },
});

describe("drift that nobody stands for", () => {
  it("is one pull request of one line, the same at the next look", () =>
    withGround(async (ground) => {
      const { proposals } = await tell(ground, { values: [max(125)] });
      expect(proposals).toEqual([
        {
          ...{ path: "scaling.workers.max", value: 125, outcome: "opened", why: null },
          pullRequest: { number: 1, url: URL_OF(1) },
        },
      ]);
      const [pull] = ground.github.pulls.list();
      expect(pull).toMatchObject({ title: "policy: scaling.workers.max = 125 (production)" });
      expect(pull!.body).toContain("drift:look");
      expect(pull!.body).toContain(`found ${WORKERS.replaceAll("_", "\\_")} running with`);
      expect(pull!.body).toContain("To refuse it, close this");
      const { commits } = ground.github;
      expect(commits.read(pull!.head)["policies/algobrain/scaling.yaml"]).toContain("max: 125");

      const writes = ground.github.requests.filter((one) => !one.startsWith("GET")).length;
      const again = await tell(ground, { values: [max(125)], after: 720 });
      expect(again.proposals).toMatchObject([{ outcome: "open", pullRequest: { number: 1 } }]);
      expect(pulls(ground)).toEqual(["1 open"]);
      expect(ground.github.requests.filter((one) => !one.startsWith("GET"))).toHaveLength(writes);
    }));

  it("is found again when the file around it has changed meanwhile", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      await tell(ground, { values: [max(125), max(8, API)], after: 1 });
      ground.github.pulls.merge(2);
      const again = await tell(ground, { values: [max(125)], after: 2 });
      expect(again).toMatchObject({ proposals: [{ outcome: "open", pullRequest: { number: 1 } }] });
      expect(pulls(ground)).toEqual(["1 open", "2 closed"]);
    }));

  it("is not that of a person who wants the same, and a person's is never closed for it", () =>
    withGround(async (ground) => {
      const propose = createProposeChange({
        ...{ db: ground.db, host: ground.host, now: () => NOW, environment: "production" },
      });
      const path = ["scaling", "workers", "max"] as const;
      const wish = {
        ...{ changes: [{ path, value: 125 }], environment: "production" },
        ...{ reason: "more", by: "cli:ann" },
      };
      await propose(wish, never());
      await tell(ground, { values: [max(125)] });
      expect(pulls(ground)).toEqual(["1 open", "2 open"]);
      const { ended } = await tell(ground, { after: 1 });
      expect(ended.map(({ number }) => number)).toEqual([2]);
      expect(pulls(ground)).toEqual(["1 open", "2 closed"]);
    }));

  it("that people have refused is not asked for again while it stays, and is when it comes anew", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      ground.github.pulls.close(1);
      await followChangesTick(ground).run(NOW, never());
      const refused = await tell(ground, { values: [max(125)], after: 1 });
      expect(refused.proposals).toMatchObject([{ outcome: "refused", pullRequest: { number: 1 } }]);
      await tell(ground, { after: 2 });
      const anew = await tell(ground, { values: [max(125)], after: 3 });
      expect(anew.proposals).toMatchObject([{ outcome: "opened", pullRequest: { number: 2 } }]);
    }));

  it("that the policies cannot say leaves no pull request and says why, and the others have theirs", () =>
    withGround(async (ground) => {
      const min = { address: WORKERS, attribute: "min_capacity", value: 500 };
      const { proposals } = await tell(ground, { values: [min, max(8, API)] });
      expect(proposals).toMatchObject([
        { outcome: "none", pullRequest: null, why: expect.stringContaining("scaling.yaml") },
        { outcome: "opened" },
      ]);
      const same = await tell(ground, { values: [max(120)], after: 1 });
      expect(same.proposals).toMatchObject([
        { outcome: "none", why: "the policies say so by now" },
      ]);
    }));
});

describe("a pull request for drift is closed", () => {
  it("in words when another value runs by now", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      const { proposals, ended } = await tell(ground, { values: [max(110)], after: 1 });
      const why = "scaling.workers.max runs with 110 by now, not with 125";
      expect(ended).toMatchObject([{ number: 1, outcome: "closed", why }]);
      expect(proposals).toMatchObject([{ outcome: "opened", pullRequest: { number: 2 } }]);
      expect(pulls(ground)).toEqual(["1 closed", "2 open"]);
      expect(ground.github.comments().map(({ pull, body }) => [pull, body])).toEqual([
        [1, expect.stringContaining(`${why}. Nobody else has pushed to it.`)],
      ]);
    }));

  it("when the drift has gone, and asked for anew when it is there again", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      const { ended } = await tell(ground, { after: 1 });
      expect(ended).toMatchObject([
        { number: 1, outcome: "closed", why: "scaling.workers.max runs as the policies say again" },
      ]);
      const actions = (await listAudit(ground.db, { limit: 10 })).map(({ action }) => action);
      expect(actions).toEqual(["change.withdrawn", "drift.told", "change.requested", "drift.told"]);
      expect(await tell(ground, { after: 2 })).toMatchObject({ proposals: [], ended: [] });
      const anew = await tell(ground, { values: [max(125)], after: 3 });
      expect(anew.proposals).toMatchObject([{ outcome: "opened", pullRequest: { number: 2 } }]);
    }));

  it("never while the resource differs all the same, and nothing is proposed for it", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      const told = await tell(ground, { held: [WORKERS], after: 1 });
      expect(told).toMatchObject({ proposals: [], ended: [] });
      expect(pulls(ground)).toEqual(["1 open"]);
    }));

  it("never when somebody has pushed to it, or put another commit in the place of ours", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125), max(8, API)] });
      const { commits, pulls: all } = ground.github;
      const [first, second] = all.list().map(({ head }) => ({ head, sha: commits.branch(head)! }));
      const ours = commits.commit(first!.sha)!;
      const more = { ...ours, parents: [first!.sha], message: "and more", by: "bob" };
      commits.setBranch(first!.head, commits.addCommit(more).sha);
      const other = commits.commit(second!.sha)!;
      commits.setBranch(second!.head, commits.addCommit({ ...other, by: "bob" }).sha);
      const { ended } = await tell(ground, { after: 1 });
      expect(ended.map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "left"],
        [2, "left"],
      ]);
      expect(pulls(ground)).toEqual(["1 open", "2 open"]);
      expect(ground.github.comments()).toEqual([]);
    }));

  it("never by a look that is older than the last one, nor while another is told", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)], after: 5 });
      expect(await ask(ground, { after: 4 })).toEqual({ outcome: "older" });
      await takeLease(ground.db, { name: "drift-proposals", holder: "other", ttlMs: 60_000 });
      expect(await ask(ground, { after: 6 })).toEqual({ outcome: "busy" });
      expect(pulls(ground)).toEqual(["1 open"]);
    }));

  it("only if it is one for drift of this environment", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      await tell(ground, { environment: "staging" });
      expect(pulls(ground)).toEqual(["1 open"]);
    }));
});

describe("whoever is killed", () => {
  it.each(["findPullRequest", "openPullRequest"] as const)(
    "behind %s while one is opened finds it at the next look",
    (call) =>
      withGround(async (ground) => {
        const cut = { ...ground, host: killedBehind(ground.host, call) };
        expect(await faultOf(ask(cut, { values: [max(125)] }))).toMatchObject({ code: "KILLED" });
        const { proposals } = await tell(ground, { values: [max(125)] });
        expect(proposals).toMatchObject([{ pullRequest: { number: 1 } }]);
        expect(pulls(ground)).toEqual(["1 open"]);
      }),
  );

  it("behind openPullRequest, with another value at the next look, leaves none behind", () =>
    withGround(async (ground) => {
      const cut = { ...ground, host: killedBehind(ground.host, "openPullRequest") };
      await faultOf(ask(cut, { values: [max(125)] }));
      await tell(ground, { values: [max(110)], after: 1 });
      expect(pulls(ground)).toEqual(["1 closed", "2 open"]);
    }));

  it.each(["listCommits", "listComments", "createComment", "closePullRequest"] as const)(
    "behind %s while one is closed has it closed with one comment in the end",
    (call) =>
      withGround(async (ground) => {
        await tell(ground, { values: [max(125)] });
        const cut = { ...ground, host: killedBehind(ground.host, call) };
        await faultOf(ask(cut, { after: 1 }));
        await tell(ground, { after: 1 });
        expect(pulls(ground)).toEqual(["1 closed"]);
        expect(ground.github.comments()).toHaveLength(1);
      }),
  );

  it("behind closePullRequest, with the drift back at the next look, is not taken for a refusal of people", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      await faultOf(
        ask({ ...ground, host: killedBehind(ground.host, "closePullRequest") }, { after: 1 }),
      );
      await changeEnded(ground.db, URL_OF(1), "closed");
      const { proposals } = await tell(ground, { values: [max(125)], after: 2 });
      expect(proposals).toMatchObject([{ outcome: "opened", pullRequest: { number: 2 } }]);
    }));

  it("before it is closed, with the drift back at the next look, keeps the one that is open", () =>
    withGround(async (ground) => {
      await tell(ground, { values: [max(125)] });
      await faultOf(
        ask({ ...ground, host: killedBehind(ground.host, "createComment") }, { after: 1 }),
      );
      const { proposals } = await tell(ground, { values: [max(125)], after: 2 });
      expect(proposals).toMatchObject([{ outcome: "open", pullRequest: { number: 1 } }]);
      ground.github.pulls.close(1);
      await followChangesTick(ground).run(NOW, never());
      const refused = await tell(ground, { values: [max(125)], after: 3 });
      expect(refused.proposals).toMatchObject([{ outcome: "refused" }]);
    }));
});

describe("whoever holds the token", () => {
  it("opens nothing for what is no size, nor twice for one value", () =>
    withGround(async (ground) => {
      const other = (address: string, attribute: string) => [{ address, attribute, value: 1 }];
      for (const values of [
        other("aws_rds_cluster.database", "backup_retention_period"),
        other("aws_rds_cluster.other", "serverlessv2_scaling_configuration[0].min_capacity"),
        other("aws_cloudwatch_metric_alarm.alarm-AR-06", "threshold"),
        other(WORKERS, "constructor"),
        [max(1), max(2)],
      ])
        expect(await ask(ground, { values })).toEqual({ outcome: "unknown" });
      expect(ground.github.requests).toEqual([]);
    }));

  it("has no more open at once than the policies say", () =>
    withGround(async (ground) => {
      const attribute = "serverlessv2_scaling_configuration[0].min_capacity";
      const min = { address: "aws_rds_cluster.database", attribute, value: 2 };
      const told = await ask(ground, { values: [max(125), min, max(8, API)] }, 2);
      expect(told).toMatchObject({
        proposals: [
          { outcome: "opened" },
          { outcome: "opened" },
          { outcome: "none", pullRequest: null, why: "2 are open at most" },
        ],
      });
      expect(pulls(ground)).toHaveLength(2);
    }));

  it("asks for twenty in a day at most, whatever is told", () =>
    withGround(async (ground) => {
      await ground.db.query(
        `INSERT INTO control.config_change (key, environment, path, value, reason, requested_by, status, error)
         SELECT nth::text, 'production', 'scaling.workers.max', '{"scaling.workers.max": 1}', 'so', 'drift:look', 'closed', 'gone'
         FROM generate_series(1, 19) AS nth`,
      );
      const told = await tell(ground, { values: [max(125), max(8, API)] });
      expect(told.proposals).toMatchObject([
        { outcome: "opened" },
        { outcome: "none", why: "20 are asked for within a day at most" },
      ]);
    }));

  it("is one of two at once: the other hears so, and both end with one pull request", () =>
    withGround(async (ground) => {
      const both = await Promise.all([
        ask(ground, { values: [max(125)] }),
        ask(ground, { values: [max(125)] }),
      ]);
      expect(both.map(({ outcome }) => outcome)).toContain("told");
      expect(pulls(ground)).toEqual(["1 open"]);
    }));
});
