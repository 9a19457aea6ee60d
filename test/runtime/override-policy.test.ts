import { describe, expect, it } from "vitest";
import { readPublished } from "../../src/main/policy.js";
import type { ChangeRequest } from "../../src/review/change-request.js";
import { readHeldValues } from "../../src/review/drift-report.js";
import {
  beginOverride,
  endOverrideNow,
  type OverridePolicyDeps,
  type WantedOverride,
} from "../../src/runtime/override-policy.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { endOverridesTick } from "../../src/runtime/tick/end-overrides.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import { listActiveOverrides } from "../../src/store/policy-overrides.js";
import { readPolicySummary } from "../../src/store/policy-summary.js";
import { edited } from "../fixture/policy/sections.js";
import { type Ground, type Leader, layGround } from "../support/adoption-ground.js";
import { withDatabase } from "../support/database.js";

const HOUR_MS = 3_600_000;
const WANTED: WantedOverride = {
  ...{ path: "workers.index.concurrency", value: 2, reason: "the disk is slow tonight" },
  ...{ owner: "ann", forMs: HOUR_MS, by: "api:ann" },
};

interface Emergency extends Ground {
  readonly leader: Leader;
  readonly words: RuntimeWord[];
  readonly asked: ChangeRequest[];
  begin(wanted?: Partial<WantedOverride>): ReturnType<typeof beginOverride>;
  readonly deps: OverridePolicyDeps;
}

async function inEmergency(test: (emergency: Emergency) => Promise<void>): Promise<void> {
  await withDatabase(async (db) => {
    const ground = await layGround(db);
    const words: RuntimeWord[] = [];
    const asked: ChangeRequest[] = [];
    const pullRequest = { number: 7, url: "https://git/pr/7", branch: "b", state: "open" } as const;
    const deps: OverridePolicyDeps = {
      ...{ db, load: () => readPublished(db) },
      notify: async (_, word) => void words.push(word),
      proposeChange: async (request) => {
        asked.push(request);
        return { outcome: "opened", pullRequest, changes: [], edited: [] };
      },
    };
    const begin = (wanted: Partial<WantedOverride> = {}) =>
      beginOverride(deps, { ...WANTED, ...wanted });
    await test({ ...ground, leader: await ground.lead(), words, asked, begin, deps });
  });
}

const REFUSED: readonly (readonly [string, string | number, string])[] = [
  ["access.rules[0].role", "viewer", "review alone"],
  ["adoption.newPagesMax", 100, "review alone"],
  ["automation.queue-backlog-incident.guard.perHourMax", 60, "review alone"],
  ["retention.events_retention_days", 1, "deletes for ever"],
  ["workers.index.concurrency", 0, "workers.index.concurrency"],
  ["workers.indx.concurrency", 2, "leads nowhere"],
  ["nonsense", 2, "is no path"],
];

describe("an emergency setting", () => {
  it("holds in every process at its next look, is drift, audited, told, and asks for its pull request", () =>
    inEmergency(async ({ db, leader, begin, words, asked }) => {
      const was = leader.holder.policy().workers.index?.concurrency;
      const answer = await begin();
      expect(answer).toMatchObject({ outcome: "begun", writeBack: { url: "https://git/pr/7" } });
      await leader.follow();
      expect(leader.holder.policy().workers.index?.concurrency).toBe(2);
      expect(leader.holder.inForce().set.workers.index?.concurrency).toBe(was);
      expect(leader.holder.drift()).toMatchObject([
        { name: WANTED.path, policyValue: was, value: 2, override: { owner: "ann" } },
      ]);
      const told = JSON.parse(JSON.stringify({ drift: leader.holder.drift() }));
      const { reason, owner } = WANTED;
      expect(readHeldValues(told), "as whoever reviews a change reads /health").toMatchObject([
        {
          path: WANTED.path,
          value: "2",
          override: { owner, reason, expires: expect.stringMatching(/^2.*Z$/) },
        },
      ]);
      expect(await readPolicySummary(db)).toMatchObject({ overrides: 1 });
      expect(words).toMatchObject([{ action: "trigger", audience: "operator" }]);
      expect(asked).toMatchObject([{ environment: "local", changes: [{ value: 2 }] }]);
      expect(await readAuditOfTarget(db, "policy-override:1")).toMatchObject([
        { actor: "api:ann", action: "policy.overridden", details: { reason: WANTED.reason } },
      ]);
    }));

  it("ends when a person ends it, and then the policy holds again", () =>
    inEmergency(async ({ leader, begin, deps }) => {
      await begin();
      await leader.follow();
      expect(await endOverrideNow(deps, 1, "api:bob")).toMatchObject({ endedBy: "api:bob" });
      expect(await endOverrideNow(deps, 1, "api:bob")).toBeNull();
      await leader.follow();
      expect(leader.holder.policy().workers.index?.concurrency).not.toBe(2);
      expect(leader.holder.drift()).toEqual([]);
    }));

  it("ends by itself: it holds no longer at once, and that is written down and told", () =>
    inEmergency(async ({ db, leader, begin, words, deps }) => {
      await begin();
      await leader.follow();
      await db.query(
        "UPDATE control.policy_override SET created_at = created_at - interval '2 h', expires_at = expires_at - interval '1 h'",
      );
      await leader.follow();
      expect(leader.holder.policy().workers.index?.concurrency).not.toBe(2);
      const tick = endOverridesTick({ ...deps, emit: () => {} });
      await tick.run(new Date(), new AbortController().signal);
      expect(words.map(({ action }) => action)).toEqual(["trigger", "resolve"]);
      expect((await readAuditOfTarget(db, "policy-override:1")).at(-1)).toMatchObject({
        actor: "expiry",
      });
    }));

  it("stays over a policy that is adopted meanwhile, and over the trial of it", () =>
    inEmergency(async ({ publish, leader, begin, sections }) => {
      await begin();
      await leader.follow();
      publish({
        revision: 1,
        sections: edited(sections, { "retention/events_retention_days": 120 }),
      });
      await leader.step();
      expect(leader.holder.policy()).toMatchObject({
        ...{ workers: { index: { concurrency: 2 } }, retention: { eventsDays: 120 } },
      });
    }));

  it("is refused where review alone decides, where rows would go, and where it makes no policy", () =>
    inEmergency(async ({ db, begin, asked }) => {
      for (const [path, value, words] of REFUSED) {
        const answer = await begin({ path, value });
        const sentence = expect.stringContaining(words);
        expect(answer, path).toMatchObject({ outcome: "refused", sentence });
      }
      expect(await listActiveOverrides(db)).toEqual([]);
      expect(asked).toEqual([]);
    }));

  it("is one at a path: the second owner hears of the first", () =>
    inEmergency(async ({ begin }) => {
      await begin();
      expect(await begin({ value: 3, owner: "bob" })).toEqual({ outcome: "taken" });
    }));

  it("holds also when the host of the repository does not answer", () =>
    inEmergency(async ({ db, deps }) => {
      const proposeChange = () => Promise.reject(new Error("connect ETIMEDOUT"));
      const answer = await beginOverride({ ...deps, proposeChange }, WANTED);
      expect(answer).toMatchObject({ writeBack: { none: expect.stringContaining("ETIMEDOUT") } });
      expect(await listActiveOverrides(db)).toHaveLength(1);
    }));
});
