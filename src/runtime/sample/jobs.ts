/** Queues, their outcomes and their healing, by kind. Internal kinds are not the system's load (design 8.3). */
import type { Sql } from "../../store/database.js";
import {
  countHealingActions,
  type KindOutcome,
  readKindLoad,
  readKindOutcomes,
} from "../../store/runtime-samples.js";
import type { Sample } from "../../store/samples.js";
import { gauge, type SampleSource } from "./source.js";

/** Rates are of jobs that ended within this time. */
const WINDOW_MS = 300_000;

export function jobsSource(sql: Sql): SampleSource {
  return {
    name: "jobs",
    collect: async (now) => {
      const loads = await readKindLoad(sql);
      const outcomes = await readKindOutcomes(sql, WINDOW_MS);
      const actions = await countHealingActions(sql, WINDOW_MS);
      return [
        ...loads.flatMap(({ kind, pending, running }) => [
          ...gauge("algobrain.jobs.pending", pending, now, { worker_type: kind }),
          ...gauge("algobrain.jobs.running", running, now, { worker_type: kind }),
        ]),
        ...outcomes.flatMap((outcome) => outcomeSamples(outcome, now)),
        ...gauge("algobrain.healdec.action_rate", actionRate(actions, outcomes), now),
      ];
    },
  };
}

/** A kind without finished jobs has no rate: nothing is neither good nor bad. */
function outcomeSamples({ kind, completed, failed }: KindOutcome, now: Date): Sample[] {
  const labels = { worker_type: kind };
  const finished = completed + failed;
  const rate = finished === 0 ? null : completed / finished;
  return [
    ...gauge("algobrain.worker.success_rate", rate, now, labels),
    ...gauge("algobrain.worker.error_count", failed, now, labels),
  ];
}

/** HB-heal-11: actions per job; one job may need many, but a fraction stays within 0–1 (HB-met-10). */
function actionRate(actions: number, outcomes: readonly KindOutcome[]): number {
  const finished = outcomes.reduce((sum, { completed, failed }) => sum + completed + failed, 0);
  const jobs = Math.max(finished, actions);
  return jobs === 0 ? 0 : actions / jobs;
}
