import { describe, expect, it } from "vitest";
import { publish, readPublished } from "../../src/main/policy.js";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { PolicyHolder } from "../../src/runtime/policy-holder.js";
import { createFollow } from "../../src/runtime/tick/follow-policy.js";
import type { Database } from "../../src/store/database.js";
import { listPolicyProcesses } from "../../src/store/policy-processes.js";
import { NO_OVERRIDES } from "../support/adoption-ground.js";
import { withDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";

const withEvents = (eventsDays: number) =>
  makePolicy({ retention: { ...makePolicy().retention, eventsDays } });

async function following(db: Database) {
  const events: RuntimeEvent[] = [];
  const holder = new PolicyHolder(await publish(db, withEvents(90), "files"), NO_OVERRIDES);
  const follow = createFollow({
    ...{ db, policyHolder: holder, holder: "here:7:aa", role: "worker-general" },
    emit: (event) => events.push(event),
    load: () => readPublished(db),
  });
  return { holder, events, follow: () => follow(new Date()) };
}

describe("PolicyHolder", () => {
  it("keeps what a set variable says over every swap, and shows it as drift", () =>
    withDatabase(async (db) => {
      const overrides = { ...NO_OVERRIDES.overrides, healingEnabled: false };
      const holder = new PolicyHolder(await publish(db, withEvents(90), "files"), { overrides });
      holder.swap(await publish(db, withEvents(30), "files"));
      expect(holder.policy()).toMatchObject({
        healing: { enabled: false },
        retention: { eventsDays: 30 },
      });
      expect(holder.drift()).toEqual([
        { name: "HEALDEC_ENABLED", policyValue: true, value: false },
      ]);
    }));

  it("tries a candidate out in this process alone, and goes back also when the work fails", () =>
    withDatabase(async (db) => {
      const { holder } = await following(db);
      const candidate = { set: withEvents(7), sections: null };
      const seen = await holder.tryOut(candidate, async () => holder.policy().retention.eventsDays);
      expect(seen).toBe(7);
      const failing = holder.tryOut(candidate, () => Promise.reject(new Error("no")));
      await expect(failing).rejects.toThrow("no");
      expect(holder.policy().retention.eventsDays).toBe(90);
    }));
});

describe("following", () => {
  it("takes up what another has put in force, and says with what it works", () =>
    withDatabase(async (db) => {
      const { holder, follow } = await following(db);
      const next = await publish(db, withEvents(30), "files");
      await follow();
      expect(holder.policy().retention.eventsDays).toBe(30);
      expect(await listPolicyProcesses(db)).toMatchObject([
        {
          process: "here:7:aa",
          role: "worker-general",
          revision: next.revision,
          digest: next.digest,
        },
      ]);
    }));

  it("stays with its own when the row is not what its digest says, tells it once, and follows the next", () =>
    withDatabase(async (db) => {
      const { holder, events, follow } = await following(db);
      await publish(db, withEvents(1), "files");
      await db.query(
        `UPDATE control.policy_revision SET bundle = jsonb_set(bundle, '{retention,eventsDays}', '2')
         WHERE revision = (SELECT max(revision) FROM control.policy_revision)`,
      );
      await follow();
      await follow();
      expect(holder.policy().retention.eventsDays).toBe(90);
      expect(events.map(({ event }) => event)).toEqual(["policy.follow-failed"]);
      // The broken row is still the newest here: publishing compares digests only.
      await publish(db, withEvents(30), "files");
      await follow();
      expect(holder.policy().retention.eventsDays).toBe(30);
    }));

  it("keeps its policy while the database is away", () =>
    withDatabase(async (db) => {
      const { holder } = await following(db);
      const away = () => Promise.reject(new Error("connect ECONNREFUSED"));
      const follow = createFollow({
        ...{ policyHolder: holder, holder: "here:7:aa", role: "all", emit: () => {} },
        ...{ db: { ...db, query: away }, load: away },
      });
      await expect(follow(new Date())).rejects.toThrow("ECONNREFUSED");
      expect(holder.policy().retention.eventsDays).toBe(90);
    }));
});
