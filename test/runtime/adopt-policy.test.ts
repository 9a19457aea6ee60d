import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InstanceState } from "../../src/alert/state.js";
import { systemClock } from "../../src/base/clock.js";
import { saveAlertStates } from "../../src/store/alerts.js";
import { listAudit } from "../../src/store/audit.js";
import { readPolicyInForce } from "../../src/store/policies.js";
import {
  listBundles,
  newestBundleRevision,
  readBundle,
  releaseBundle,
} from "../../src/store/policy-bundles.js";
import { readPolicyState } from "../../src/store/policy-state.js";
import { readPolicySummary } from "../../src/store/policy-summary.js";
import { insertSamples } from "../../src/store/samples.js";
import { HARMFUL } from "../fixture/policy/harmful.js";
import { edited } from "../fixture/policy/sections.js";
import { type Ground, HAVE, type Leader, layGround } from "../support/adoption-ground.js";
import { createTestDatabase, type TestDatabase, withDatabase } from "../support/database.js";
import { makeKey } from "../support/sign-bundle.js";

/** Something that everybody may change at any time. */
const longerEvents = (days: number) => ({ "retention/events_retention_days": days });

/** Its strictest level fires, as the evaluator remembers it. */
function makeFiring(level: string, now: Date): InstanceState {
  const at = now.getTime();
  return {
    ...{ shape: "", labels: {}, knownSince: at, tickAt: at, value: 1, valueAt: at },
    levels: { [level]: { phase: "firing", activeAt: at, recoveringSince: null, op: ">" } },
    ...{ level, severity: "sev1", since: at, begun: { level, at }, endedByEdit: false },
    ...{ told: null, cooling: null },
  };
}

/** A silence of four hours that holds pages back, and began just now. */
function pagesSilenced(now: Date) {
  const moment = (inMs: number) => `${new Date(now.getTime() + inMs).toISOString().slice(0, 19)}Z`;
  return {
    ...{ starts: moment(-60_000), ends: moment(3 * 3_600_000) },
    ...{ owner: "example-operator", reason: "It is looked after.", silencesPages: true },
  };
}

async function onGround(test: (ground: Ground, leader: Leader) => Promise<void>): Promise<void> {
  await withDatabase(async (db) => {
    const ground = await layGround(db);
    await test(ground, await ground.lead());
  });
}

describe("a harmful bundle", () => {
  let database: TestDatabase;
  let ground: Ground;
  let leader: Leader;
  const foreign = makeKey();

  beforeAll(async () => {
    database = await createTestDatabase();
    ground = await layGround(database.db);
    leader = await ground.lead();
    await database.db.query(
      "INSERT INTO events (event_type, created_at) VALUES ('push', now() - interval '3 days')",
    );
    ground.publish({ revision: 7 });
    await leader.step();
  });
  afterAll(() => database.drop());

  it("stands against one that is in force", async () => {
    expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 7 });
    expect(HARMFUL).toHaveLength(23);
  });

  it.each(HARMFUL)("$what: $verdict.status, $verdict.why", async ({ make, verdict }) => {
    const { db, key, sections, source } = ground;
    const before = await readPolicyInForce(db);
    const envelope = make({ key, foreign, sections, newest: await newestBundleRevision(db) });
    source.put(envelope);
    leader.words.length = 0;
    await leader.step();
    await leader.step();

    expect(await readPolicyInForce(db), "what is in force").toEqual(before);
    expect(leader.holder.inForce().bundleRevision).toBe(7);
    expect(leader.words, "people are told once").toHaveLength(1);
    const { refused } = await readPolicyState(db);
    if (verdict.status === "refused") {
      expect(refused[0]).toMatchObject({ refusal: verdict.why });
      expect(await leader.keptOut()).toBeGreaterThan(0);
      return;
    }
    const bundle = await readBundle(db, envelope.revision);
    expect(bundle).toMatchObject({ status: verdict.status });
    expect(bundle?.reason).toContain(verdict.why);
    expect(await leader.keptOut()).toBe(verdict.status === "held" ? 1 : 0);
  });
});

describe("a bundle", () => {
  it("is adopted by the leader, with its audit and its place in /health", () =>
    onGround(async ({ db, publish, sections }, leader) => {
      publish({ revision: 1, commit: "c0ffee1", sections: edited(sections, longerEvents(120)) });
      await leader.step();
      expect(leader.holder.policy().retention.eventsDays).toBe(120);
      const summary = await readPolicySummary(db);
      expect(summary).toMatchObject({
        ...{ adopted: 1, published: 1, held: null, waiting: null, failed: null },
        ...{ commit: "c0ffee1", onIt: 1, behind: 0, digest: leader.holder.inForce().digest },
      });
      const audit = await listAudit(db, { limit: 10 });
      expect(audit.map(({ action }) => action)).toEqual(["policy.adopted", "policy.published"]);
      expect(await leader.keptOut()).toBe(0);
    }));

  it("is not read again while nothing changes, nor after another has taken the lead", () =>
    onGround(async ({ db, publish, lead }, leader) => {
      publish({ revision: 1 });
      await leader.step();
      await leader.step();
      const other = await lead();
      await other.step();
      expect(await listBundles(db, { limit: 10 })).toHaveLength(1);
      expect((await readPolicyState(db)).refused).toEqual([]);
      expect(other.words).toEqual([]);
    }));

  it("reverts as a new revision, and the old number is back", () =>
    onGround(async ({ publish, sections }, leader) => {
      publish({ revision: 1, sections: edited(sections, longerEvents(120)) });
      await leader.step();
      publish({ revision: 2, sections });
      await leader.step();
      expect(leader.holder.policy().retention.eventsDays).toBe(90);
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 2 });
    }));

  it("of an older schema, without what came since, is understood", () =>
    onGround(async ({ publish, sections }, leader) => {
      const { flags: _, cache: __, adoption: ___, ...older } = sections;
      publish({ revision: 1, schema: 1, sections: older });
      await leader.step();
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 1 });
      expect(leader.holder.policy().adoption.newPagesMax).toBe(3);
    }));

  it("that waits for an image is adopted by the image that it waits for", () =>
    onGround(async ({ db, publish, lead }, leader) => {
      const runbooks = { "respond-queue-backlog": "b".repeat(64) };
      publish({ revision: 1, runbooks });
      await leader.step();
      expect(await readBundle(db, 1)).toMatchObject({ status: "waiting" });
      const newer = await lead({ have: { ...HAVE, runbooks } });
      await newer.step();
      expect(newer.holder.inForce()).toMatchObject({ bundleRevision: 1 });
    }));

  it("that is held goes on when a person releases it, and is not judged again", () =>
    onGround(async ({ db, publish, sections }, leader) => {
      const off = edited(sections, { "healing/enabled": false });
      publish({ revision: 1, sections: off });
      await leader.step();
      expect(await leader.keptOut()).toBe(1);
      await db.transaction((tx) => releaseBundle(tx, 1, "cli:ann", "planned migration tonight"));
      await leader.step();
      expect(leader.holder.policy().healing.enabled).toBe(false);
      expect(await leader.keptOut()).toBe(0);
    }));

  it("that would fire more than may newly fire is held by what is measured now, and names it", () =>
    onGround(async ({ db, publish, sections }, leader) => {
      const at = new Date(systemClock.now().getTime() - 1_000);
      const host = ["disk", "memory", "cpu"].map((name) => ({
        ...{ metric: `algobrain.host.${name}_used_ratio`, labels: {}, at, value: 0.6 },
      }));
      const slow = { metric: "algobrain.api.latency_p95_ms", labels: {}, at, value: 400 };
      await insertSamples(db, [...host, slow]);
      const lower = {
        "alerts/disk-usage-high/levels/elevated/value": 0.5,
        "alerts/memory-usage-high/levels/elevated/value": 0.5,
        "alerts/cpu-overload/levels/high/value": 0.5,
      };
      publish({ revision: 1, sections: edited(sections, lower) });
      await leader.step();
      expect(leader.holder.inForce(), "three may").toMatchObject({ bundleRevision: 1 });

      publish({ revision: 2, sections });
      await leader.step();
      const four = { ...lower, "alerts/api-latency-p95-high/levels/elevated/value": 300 };
      publish({ revision: 3, sections: edited(sections, four) });
      await leader.step();
      expect((await readBundle(db, 3))?.findings).toMatchObject([
        { reason: "pages-newly", sentence: expect.stringContaining("AR-18 cpu-overload") },
      ]);
    }));

  it("that would hide a page that is out now is held, and adopted once nothing fires", () =>
    onGround(async ({ db, publish, sections }, leader) => {
      const firing = makeFiring("AR-31", systemClock.now());
      const row = { rule: "safe-mode-active", instance: "all", state: firing };
      await saveAlertStates(db, { upsert: [row], remove: [] }, []);
      const quiet = { ...pagesSilenced(systemClock.now()), matchers: ["rule=safe-mode-active"] };
      const silenced = edited(sections, { silences: { quiet } });
      publish({ revision: 1, sections: silenced });
      await leader.step();
      expect((await readBundle(db, 1))?.findings).toMatchObject([
        { reason: "sev1-silenced", subject: "AR-31 safe-mode-active" },
      ]);

      await saveAlertStates(db, { upsert: [], remove: [row] }, []);
      publish({ revision: 2, sections: silenced });
      await leader.step();
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 2 });
    }));

  it("that deletes what its review previewed is adopted", () =>
    onGround(async ({ db, publish, sections }, leader) => {
      await db.query(
        "INSERT INTO events (event_type, created_at) SELECT 'push', now() - interval '3 days' FROM generate_series(1, 10)",
      );
      const sooner = edited(sections, longerEvents(1));
      publish({ revision: 1, sections: sooner, previewed: { events: 8 } });
      await leader.step();
      expect((await readBundle(db, 1))?.findings).toMatchObject([
        { reason: "deletes-more-than-previewed", subject: "retention of events" },
      ]);
      publish({ revision: 2, sections: sooner, previewed: { events: 10 } });
      await leader.step();
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 2 });
    }));

  it("is put in force once when two lead at the same time", () =>
    onGround(async ({ db, publish, lead }, leader) => {
      publish({ revision: 1 });
      const other = await lead();
      await Promise.allSettled([leader.step(), other.step()]);
      await Promise.allSettled([leader.step(), other.step()]);
      const { rows } = await db.query(
        "SELECT revision FROM control.policy_revision WHERE bundle_revision = 1",
      );
      expect(rows).toHaveLength(1);
    }));

  it("that lets ticks of the leader fail is refused at the third trial", () =>
    onGround(async ({ db, publish, lead }) => {
      const leader = await lead({
        clock: {
          now: () => new Date(),
          sleep: async () =>
            leader.failedTicks.observe({
              event: "tick.failed",
              tick: "cycle",
              error: "no such cron",
            }),
        },
      });
      publish({ revision: 1 });
      await leader.step();
      await leader.step();
      expect(await readBundle(db, 1)).toMatchObject({ status: "canary" });
      await leader.step();
      const refused = await readBundle(db, 1);
      expect(refused).toMatchObject({ status: "refused" });
      expect(refused?.reason).toContain("cycle: no such cron");
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: null });
    }));
});

describe("the place of bundles", () => {
  it("does not answer: what is in force stays, it is said once, and it comes back", () =>
    onGround(async ({ source, publish }, leader) => {
      source.away = new Error("connect ECONNREFUSED");
      await leader.step();
      await leader.step();
      publish({ revision: 1 });
      source.away = null;
      await leader.step();
      const told = leader.events
        .map(({ event }) => event)
        .filter((name) => name.includes("source"));
      expect(told).toEqual(["policy.source-lost", "policy.source-back"]);
      expect(leader.holder.inForce()).toMatchObject({ bundleRevision: 1 });
    }));

  it("holds something poisoned: the alert's number rises, and falls when that is taken away", () =>
    onGround(async ({ source, publish }, leader) => {
      publish({ revision: 1 });
      await leader.step();
      const good = source.text!;
      source.put("{ this is no JSON");
      await leader.step();
      expect(await leader.keptOut()).toBe(1);
      expect(leader.words.map(({ message }) => message.title)).toEqual([
        "A policy is refused: the one in force stays",
      ]);
      source.put(good);
      await leader.step();
      expect(await leader.keptOut()).toBe(0);
    }));
});
