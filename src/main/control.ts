/** The part that leads: recovery of dead workers, schedules, samples, alerts. Two of them are normal: one leads. */
import { createAlertAutomation } from "../runtime/alert-automation.js";
import { createOrchestrator } from "../runtime/orchestrator.js";
import { cacheSource } from "../runtime/sample/cache.js";
import { databaseSource } from "../runtime/sample/database.js";
import { dependenciesSource } from "../runtime/sample/dependencies.js";
import { hostSource } from "../runtime/sample/host.js";
import { jobsSource } from "../runtime/sample/jobs.js";
import { tableHealthSource } from "../runtime/sample/table-health.js";
import { beatStep } from "../runtime/tick/beat.js";
import { collectSamplesTick } from "../runtime/tick/collect-samples.js";
import { createEvaluateAlertsTick } from "../runtime/tick/evaluate-alerts.js";
import { recoverDeadWorkersStep } from "../runtime/tick/recover-dead-workers.js";
import { runSchedulesStep } from "../runtime/tick/run-schedules.js";
import { stallAbandonedRunsTick } from "../runtime/tick/stall-abandoned-runs.js";
import type { Caching } from "./caching.js";
import type { Foundation } from "./foundation.js";
import { loadRunbooks } from "./runbooks.js";

/** A dead worker is found this much after its lease, at most. */
const CYCLE_MS = 1_000;
/** With the others' checks, another leads 6 s after a kill at the latest; half of the 10 s that may pass. */
const LEASE_MS = 5_000;

export async function startControl(
  foundation: Foundation,
  { cache }: Caching,
  samplesEveryMs: number | undefined,
): Promise<{ stop(): Promise<void> }> {
  const { db, policy, log, config } = foundation;
  const registry = await loadRunbooks();
  const sources = [
    jobsSource(db),
    dependenciesSource(db),
    databaseSource({ sql: db, policy, otherProcesses: 1 }),
    tableHealthSource({ sql: db, policy, log }),
    hostSource(config.home),
    cacheSource(cache),
  ];
  const orchestrator = createOrchestrator({
    ...foundation,
    leaseTtlMs: LEASE_MS,
    everyMs: CYCLE_MS,
    cycle: [recoverDeadWorkersStep(foundation), runSchedulesStep(foundation), beatStep(db)],
    ticks: [
      collectSamplesTick({ db, log, sources, everyMs: samplesEveryMs }),
      createEvaluateAlertsTick({
        ...foundation,
        onTransitions: createAlertAutomation({ ...foundation, registry }),
      }),
      stallAbandonedRunsTick(foundation),
    ],
  });
  orchestrator.start();
  return orchestrator;
}
