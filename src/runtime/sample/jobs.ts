/** Queues, their outcomes and their healing, by kind. Internal kinds are not the system's load (design 8.3). */
import { MINUTE_MS } from "../../base/duration.js";
import type { PolicySet, WorkerKind } from "../../policy/policy.js";
import type { Sql } from "../../store/database.js";
import {
  countHealingActions,
  type HealingCount,
  type KindLoad,
  type KindOutcome,
  readKindLoad,
  readKindOutcomes,
} from "../../store/runtime-samples.js";
import { readSafeMode } from "../../store/safe-mode.js";
import type { Sample } from "../../store/samples.js";
import { gauge, type SampleSource } from "./source.js";

/** Rates are of jobs that ended within this time. */
const WINDOW_MS = 5 * MINUTE_MS;

export interface JobsSourceOptions {
  readonly sql: Sql;
  readonly policy: () => PolicySet;
}

export function jobsSource({ sql, policy }: JobsSourceOptions): SampleSource {
  return {
    name: "jobs",
    collect: async (now) => {
      const { workers } = policy();
      const loads = await readKindLoad(sql);
      const outcomes = await readKindOutcomes(sql, WINDOW_MS);
      const healing = await countHealingActions(sql, WINDOW_MS);
      const { active } = await readSafeMode(sql);
      // In safe mode most kinds stand still on purpose.
      const judged = active ? [] : loads.filter(({ pending }) => pending > 0);
      const waiting = new Set(judged.map(({ kind }) => kind));
      return [
        ...loads.flatMap((load) => loadSamples(load, now)),
        ...outcomes.flatMap((outcome) => outcomeSamples(outcome, workers[outcome.kind], now)),
        ...outcomes
          .filter(({ kind }) => waiting.has(kind))
          .flatMap((outcome) => throughputSamples(outcome, workers[outcome.kind], now)),
        ...gauge("algobrain.healdec.action_rate", actionRate(healing.actions, outcomes), now),
        ...gauge("algobrain.healdec.recovery_rate", recoveryRate(healing), now),
        ...gauge("algobrain.safe_mode.active", active ? 1 : 0, now),
      ];
    },
  };
}

function loadSamples({ kind, pending, running }: KindLoad, now: Date): Sample[] {
  const labels = { worker_type: kind };
  return [
    ...gauge("algobrain.jobs.pending", pending, now, labels),
    ...gauge("algobrain.jobs.running", running, now, labels),
  ];
}

/** A kind without finished jobs has no rate: nothing is neither good nor bad. */
function outcomeSamples(
  { kind, completed, failed }: KindOutcome,
  rules: WorkerKind | undefined,
  now: Date,
): Sample[] {
  const labels = { worker_type: kind };
  const finished = completed + failed;
  const share = (count: number) => (finished === 0 ? null : count / finished);
  const most = rules?.target.errorRateMax ?? null;
  return [
    ...gauge("algobrain.worker.success_rate", share(completed), now, labels),
    ...gauge("algobrain.worker.error_rate", share(failed), now, labels),
    ...gauge("algobrain.worker.error_rate_max", finished === 0 ? null : most, now, labels),
    ...gauge("algobrain.worker.error_count", failed, now, labels),
  ];
}

/** Only of a kind whose jobs wait: little is done where there is little to do. */
function throughputSamples(
  { kind, done }: KindOutcome,
  rules: WorkerKind | undefined,
  now: Date,
): Sample[] {
  const labels = { worker_type: kind };
  const target = rules?.target.perMinute ?? null;
  return [
    ...gauge("algobrain.worker.throughput", done / (WINDOW_MS / MINUTE_MS), now, labels),
    ...gauge("algobrain.worker.throughput_target", target, now, labels),
  ];
}

/** Null while the outcome of none is known: nothing is neither good nor bad. */
function recoveryRate({ judged, recovered }: HealingCount): number | null {
  return judged === 0 ? null : recovered / judged;
}

/** HB-heal-11: actions per job; one job may need many, but a fraction stays within 0–1 (HB-met-10). */
function actionRate(actions: number, outcomes: readonly KindOutcome[]): number {
  const finished = outcomes.reduce((sum, { completed, failed }) => sum + completed + failed, 0);
  const jobs = Math.max(finished, actions);
  return jobs === 0 ? 0 : actions / jobs;
}
