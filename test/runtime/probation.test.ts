import { describe, expect, it } from "vitest";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { judgeProbation, probationTick } from "../../src/runtime/probation.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { readPolicyInForce } from "../../src/store/policies.js";
import { readBundle, releaseBundle } from "../../src/store/policy-bundles.js";
import { readPolicySummary } from "../../src/store/policy-summary.js";
import { edited } from "../fixture/policy/sections.js";
import { type Ground, type Leader, layGround } from "../support/adoption-ground.js";
import { withDatabase } from "../support/database.js";

const CALM = { waits: false, works: false, worked: false, pages: 0, pagesBefore: 0 };
const STOPPED = { ...CALM, waits: true, worked: true };
const TRIAL = { ageMs: 60_000, stormPages: 10, foreseen: [] };

describe("judgeProbation", () => {
  it.each([
    ["nothing happens", CALM, TRIAL],
    ["work goes on", { ...STOPPED, works: true }, TRIAL],
    ["nobody worked before either", { ...STOPPED, worked: false }, TRIAL],
    ["a minute is not yet over", STOPPED, { ...TRIAL, ageMs: 59_999 }],
    ["it was foreseen and released", STOPPED, { ...TRIAL, foreseen: ["work-stops"] }],
    ["there are as many pages as there may be", { ...CALM, pages: 10 }, TRIAL],
    ["the storm was there before", { ...CALM, pages: 20, pagesBefore: 10 }, TRIAL],
  ])("is content while %s", (_, facts, trial) => {
    expect(judgeProbation(facts, trial)).toBeNull();
  });

  it("says that work stopped, and that pages storm", () => {
    expect(judgeProbation(STOPPED, TRIAL)).toContain("no job was started");
    expect(judgeProbation({ ...CALM, pages: 11 }, TRIAL)).toContain("11 pages");
  });
});

interface Watched extends Ground {
  readonly leader: Leader;
  readonly words: RuntimeWord[];
  readonly events: RuntimeEvent[];
  watch(): Promise<void>;
}

/** A bundle that keeps events for 120 days was adopted just now, over files that say 90. */
async function onProbation(test: (watched: Watched) => Promise<void>): Promise<void> {
  await withDatabase(async (db) => {
    const ground = await layGround(db);
    const leader = await ground.lead();
    ground.publish({
      revision: 1,
      sections: edited(ground.sections, { "retention/events_retention_days": 120 }),
    });
    await leader.step();
    const words: RuntimeWord[] = [];
    const events: RuntimeEvent[] = [];
    const tick = probationTick({
      ...{ db, emit: (event) => events.push(event), followPolicy: () => leader.follow() },
      notify: async (_, word) => void words.push(word),
    });
    const watch = () => tick.run(new Date(), new AbortController().signal);
    await test({ ...ground, leader, words, events, watch });
  });
}

const page = (count: number) =>
  `INSERT INTO control.notice (receiver, dedup_key, action, severity, source, message, reason)
   SELECT 'pagerduty', n::text, 'trigger', 'sev1', 's', '{}', 'r' FROM generate_series(1, ${count}) n`;

describe("a bundle on probation", () => {
  it("stays while all is well", () =>
    onProbation(async ({ db, leader, watch }) => {
      await db.query(page(10));
      await watch();
      expect(leader.holder.policy().retention.eventsDays).toBe(120);
      expect(await readBundle(db, 1)).toMatchObject({ status: "adopted" });
    }));

  it("goes when pages storm: the last good one is in force by itself, and people are told", () =>
    onProbation(async ({ db, leader, words, events, watch }) => {
      const bad = await readPolicyInForce(db);
      await db.query(page(11));
      await watch();
      await watch();
      expect(leader.holder.policy().retention.eventsDays).toBe(90);
      expect(await readPolicyInForce(db)).toMatchObject({ rolledBackFrom: bad?.revision });
      expect(await readBundle(db, 1)).toMatchObject({ status: "rolled-back" });
      expect(await readPolicySummary(db)).toMatchObject({ published: 1, adopted: null, failed: 1 });
      expect(words.map(({ message }) => message.title)).toEqual([
        "Policy revision 1 is rolled back: the last good one is in force",
      ]);
      expect(events).toMatchObject([{ event: "policy.rolled-back", revision: 1 }]);
      expect(await leader.keptOut()).toBe(1);
    }));

  it("goes when nothing is claimed any more, though jobs are due and were worked on", () =>
    onProbation(async ({ db, leader, watch }) => {
      await db.query(
        `UPDATE control.policy_revision SET created_at = now() - interval '90 s' WHERE bundle_revision = 1;
         INSERT INTO jobs (job_type, status, completed_at) VALUES ('index', 'completed', now() - interval '2 min');
         UPDATE jobs SET completed_at = now() - interval '2 min';
         INSERT INTO jobs (job_type, status, scheduled_at) VALUES ('index', 'pending', now() - interval '70 s')`,
      );
      await watch();
      expect(leader.holder.policy().retention.eventsDays).toBe(90);
    }));

  it("is not watched for ever", () =>
    onProbation(async ({ db, leader, watch }) => {
      await db.query("UPDATE control.policy_revision SET created_at = now() - interval '6 min'");
      await db.query(page(30));
      await watch();
      expect(leader.holder.policy().retention.eventsDays).toBe(120);
    }));

  it("that was rolled back leaves room for the next", () =>
    onProbation(async ({ db, leader, publish, watch }) => {
      await db.query(page(11));
      await watch();
      publish({ revision: 2 });
      await leader.step();
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 2 });
      const again = await db.transaction((tx) => releaseBundle(tx, 1, "cli:ann", "again"));
      expect(again).toMatchObject({ outcome: "not-held" });
    }));
});
