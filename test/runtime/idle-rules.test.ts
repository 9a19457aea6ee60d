/** The shipped rules over the runtime's own samples: an idle machine wakes nobody, and what is wrong is found by its rule. */
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../src/base/log.js";
import { loadPolicySet } from "../../src/policy/bundle.js";
import type { AlertRule, PolicySet, Signal } from "../../src/policy/policy.js";
import { ApiTally } from "../../src/runtime/api-stats.js";
import { QueryTimes } from "../../src/runtime/query-times.js";
import { adoptionSource } from "../../src/runtime/sample/adoption.js";
import { apiFiguresSource, apiSource } from "../../src/runtime/sample/api.js";
import { arrivalsSource } from "../../src/runtime/sample/arrivals.js";
import { backupSource } from "../../src/runtime/sample/backup.js";
import { databaseSource } from "../../src/runtime/sample/database.js";
import { dependenciesSource } from "../../src/runtime/sample/dependencies.js";
import { jobsSource } from "../../src/runtime/sample/jobs.js";
import { noticesSource } from "../../src/runtime/sample/notices.js";
import { policySource } from "../../src/runtime/sample/policy.js";
import { refusedSource } from "../../src/runtime/sample/refused.js";
import { schedulesSource } from "../../src/runtime/sample/schedules.js";
import { tableHealthSource } from "../../src/runtime/sample/table-health.js";
import { tallySource } from "../../src/runtime/sample/tally.js";
import { workersSource } from "../../src/runtime/sample/workers.js";
import { createSpeak } from "../../src/runtime/speak.js";
import { beatStep } from "../../src/runtime/tick/beat.js";
import { collectSamplesTick } from "../../src/runtime/tick/collect-samples.js";
import { createEvaluateAlertsTick } from "../../src/runtime/tick/evaluate-alerts.js";
import { listActiveAlerts } from "../../src/store/alerts.js";
import type { Database } from "../../src/store/database.js";
import { enqueueJobs } from "../../src/store/jobs.js";
import { enqueueNotice, markNoticeDead } from "../../src/store/notices.js";
import { enterSafeMode } from "../../src/store/safe-mode.js";
import { registerWorker } from "../../src/store/workers.js";
import { SHIPPED } from "../policy/shipped.js";
import { withDatabase } from "../support/database.js";
import { makeNotice } from "../support/make-notice.js";

const TICK_MS = 15_000;
const TICKS = 3;
const START = Date.UTC(2026, 0, 28, 12);

const checked = loadPolicySet(SHIPPED, "local");
if (!checked.ok)
  throw new Error("the shipped policies are invalid: see test/policy/shipped.test.ts");

/** No rule waits: what is beyond a line for one tick is news. Ages are what they are. */
function impatient(rule: AlertRule): AlertRule {
  return {
    ...rule,
    signal: withoutWindow(rule.signal),
    levels: rule.levels.map((level) => ({ ...level, forMs: 0 })),
  };
}

function withoutWindow(signal: Signal): Signal {
  if ("fullWindow" in signal) return { ...signal, overMs: TICK_MS, fullWindow: false };
  return signal.form === "ratio" ? { ...signal, overMs: TICK_MS } : signal;
}

const policy: PolicySet = { ...checked.value, alerts: checked.value.alerts.map(impatient) };

/** All of the leader's and the API's, but for those that measure this machine. */
function sourcesOf(sql: Database, isPolicyRefused: boolean) {
  const options = { sql, policy: () => policy };
  const clock = { now: () => new Date(START), sleep: async () => {} };
  const tally = new ApiTally(clock);
  return [
    jobsSource(options),
    tallySource(sql),
    schedulesSource(options),
    noticesSource(options),
    dependenciesSource(sql),
    databaseSource({ ...options, otherProcesses: 1, queryTimes: new QueryTimes() }),
    tableHealthSource({ ...options, log: silentLogger }),
    arrivalsSource(sql),
    workersSource(options),
    apiFiguresSource(sql),
    backupSource(sql),
    adoptionSource(sql),
    refusedSource(sql),
    policySource({ sql, isSourceRefused: () => isPolicyRefused }),
    apiSource({ apiStats: () => tally.read(), policy: () => policy, host: "laptop" }),
  ];
}

/** Some ticks of the runtime, one after the other; names what is not quiet then. */
async function watch(db: Database, isPolicyRefused = false): Promise<string[]> {
  const { signal } = new AbortController();
  const sources = sourcesOf(db, isPolicyRefused);
  const collect = collectSamplesTick({ db, log: silentLogger, policy: () => policy, sources });
  const speak = createSpeak();
  const deps = { db, policy: () => policy, log: silentLogger, holder: "test", speak };
  const evaluate = createEvaluateAlertsTick(deps);
  const beat = beatStep(db);
  for (let tick = 0; tick < TICKS; tick++) {
    const now = new Date(START + tick * TICK_MS);
    await beat.run(now, signal);
    await collect.run(now, signal);
    await evaluate.run(now, signal);
  }
  return (await listActiveAlerts(db)).map(({ rule, instance }) => `${rule}/${instance}`);
}

describe("the shipped rules, if none of them waited", () => {
  it("are silent over a runtime that has nothing to do", () =>
    withDatabase(async (db) => {
      await registerWorker(db, { lane: "general", kinds: ["index"], hostname: "laptop", pid: 1 });
      expect(await watch(db)).toEqual([]);
    }));

  it("find what is wrong by the samples of the runtime itself", () =>
    withDatabase(async (db) => {
      await enterSafeMode(db, { reason: "test", by: "test" });
      await enqueueJobs(
        db,
        Array.from({ length: 101 }, () => ({ kind: "index", payload: {} })),
      );
      await enqueueJobs(db, [{ kind: "score", payload: {} }]);
      await db.query("UPDATE jobs SET status = 'quarantined' WHERE job_type = 'score'");
      await db.query(
        "UPDATE jobs SET completed_at = now() - interval '25 h' WHERE job_type = 'score'",
      );
      const dead = await db.transaction((tx) => enqueueNotice(tx, makeNotice()));
      await markNoticeDead(db, dead, "no receiver");
      expect((await watch(db, true)).sort()).toEqual([
        "alert-delivery-failing/receiver=ops",
        "policy-adoption-failing/all",
        "quarantine-not-empty/all",
        "queue-depth-high/all",
        "safe-mode-active/all",
      ]);
      const { rows } = await db.query<{ metric: string; labels: object }>(
        "SELECT metric, labels FROM control.series",
      );
      for (const { metric, labels } of rows)
        expect(Object.keys(labels).sort(), metric).toEqual(
          [...(policy.metrics[metric]?.labels ?? [])].sort(),
        );
    }));
});
