/** The part that leads: recovery of dead workers, schedules, samples, alerts. Two of them are normal: one leads. */
import type { MetricsSink } from "../alert/port.js";
import { joinSinks } from "../alert/sinks.js";
import { SCHEMA_VERSION } from "../policy/envelope-types.js";
import { createAdopter } from "../runtime/adopt.js";
import { createOrchestrator } from "../runtime/orchestrator.js";
import { probationTick } from "../runtime/probation.js";
import { policySource } from "../runtime/sample/policy.js";
import { adoptPolicyTick } from "../runtime/tick/adopt-policy.js";
import { anchorAuditTick } from "../runtime/tick/anchor-audit.js";
import { beatStep } from "../runtime/tick/beat.js";
import { checkProtectionTick } from "../runtime/tick/check-protection.js";
import { collectSamplesTick } from "../runtime/tick/collect-samples.js";
import { compactSamplesTick } from "../runtime/tick/compact-samples.js";
import { endOverridesTick } from "../runtime/tick/end-overrides.js";
import { endTemporaryTick } from "../runtime/tick/end-temporary.js";
import { expireApprovalsTick } from "../runtime/tick/expire-approvals.js";
import { followChangesTick } from "../runtime/tick/follow-changes.js";
import { incidentTimersTick } from "../runtime/tick/incident-timers.js";
import { laySilencesTick } from "../runtime/tick/lay-silences.js";
import { publishMetrics } from "../runtime/tick/publish-metrics.js";
import { recoverDeadWorkersStep } from "../runtime/tick/recover-dead-workers.js";
import { runSchedulesStep } from "../runtime/tick/run-schedules.js";
import { stallAbandonedRunsTick } from "../runtime/tick/stall-abandoned-runs.js";
import { sweepRunsTick } from "../runtime/tick/sweep-runs.js";
import { tellFollowersTick } from "../runtime/tick/tell-followers.js";
import { runTicks, type Tick } from "../runtime/ticker.js";
import { anchorAtTheEnd, anchoringOf } from "./anchoring.js";
import { createSignsToAws } from "./aws.js";
import type { Caching } from "./caching.js";
import type { Foundation } from "./foundation.js";
import { createCloudWatch } from "./metrics-export.js";
import type { PolicyOrigin } from "./policy.js";
import { createGitHost, createIncidents } from "./ports.js";
import { runbookHashes } from "./runbooks.js";
import { createSampleSources } from "./samples.js";

/** A dead worker is found this much after its lease, at most. */
const CYCLE_MS = 1_000;
/** With the others' checks, another leads 6 s after a kill at the latest; half of the 10 s that may pass. */
const LEASE_MS = 5_000;

export interface ControlOptions {
  readonly caching: Caching;
  readonly origin: PolicyOrigin;
  /** Where what is measured goes besides our store; null: nowhere. */
  readonly sink: MetricsSink | null;
  readonly samplesEveryMs?: number | undefined;
}

export async function startControl(
  foundation: Foundation,
  { caching, origin, sink, samplesEveryMs }: ControlOptions,
): Promise<{ stop(): Promise<void> }> {
  const { db, log } = foundation;
  const adopting = await adoptingOf(foundation, origin);
  const sources = [
    ...createSampleSources(foundation, caching),
    policySource({ sql: db, isSourceRefused: adopting.isSourceRefused }),
  ];
  const signs = createSignsToAws(foundation);
  const told = signs === null ? null : publishMetrics({ ...foundation, signs });
  const orchestrator = createOrchestrator({
    ...foundation,
    leaseTtlMs: LEASE_MS,
    everyMs: CYCLE_MS,
    cycle: [
      ...[recoverDeadWorkersStep(foundation), runSchedulesStep(foundation), beatStep(db, sink)],
      ...(told === null ? [] : [told.step]),
    ],
    ticks: [
      ...(told === null ? [] : [told.tick]),
      collectSamplesTick({
        ...foundation,
        ...{ sources, everyMs: samplesEveryMs },
        sink: joinSinks([sink, createCloudWatch(foundation, told !== null)]),
      }),
      compactSamplesTick(foundation),
      laySilencesTick({ db, log, policy: () => foundation.policyHolder.inForce().set }),
      stallAbandonedRunsTick(foundation),
      incidentTimersTick(foundation),
      tellFollowersTick({ ...foundation, incidents: createIncidents(foundation) }),
      adopting,
      probationTick(foundation),
      endOverridesTick(foundation),
      endTemporaryTick(foundation),
      anchorAuditTick(anchoringOf(foundation)),
      ...hostTicks(foundation),
    ],
  });
  orchestrator.start();
  const caring = new AbortController();
  const cared = runTicks(ticksWithoutLeader(foundation), foundation, caring.signal);
  return {
    stop: async () => {
      caring.abort();
      await Promise.all([cared, orchestrator.stop()]);
      await anchorAtTheEnd(foundation);
    },
  };
}

/** A run must not stand still for as long as there is no leader; each takes what no other has in its hands. */
function ticksWithoutLeader(foundation: Foundation): Tick[] {
  return [sweepRunsTick(foundation), expireApprovalsTick(foundation)];
}

/** What brings published bundles into force. */
async function adoptingOf(foundation: Foundation, { source, keys }: PolicyOrigin) {
  const { policyHolder, followPolicy, emit } = foundation;
  const { system, environment } = policyHolder.inForce().set;
  const have = { schema: SCHEMA_VERSION, runbooks: await runbookHashes() };
  return adoptPolicyTick({
    receive: { ...foundation, keys, system, environment },
    adopter: createAdopter({ ...foundation, have, follow: followPolicy }),
    emit,
    source,
  });
}

/** Only where policies are reviewed at a host that we can ask. */
function hostTicks(foundation: Foundation): Tick[] {
  const { config } = foundation;
  const host = createGitHost(foundation);
  if (config.gitopsRepo === null || host === null) return [];
  return [
    checkProtectionTick({ ...foundation, host, repo: config.gitopsRepo }),
    followChangesTick({ ...foundation, host }),
  ];
}
