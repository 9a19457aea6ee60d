/** infrastructure.yaml, what scaling.yaml says of the executor, and exceptions.yaml: what they mean. */
import { EXECUTOR_SIZE, infrastructureDefaults } from "./infrastructure-defaults.js";
import type { PlanException, PlanReview } from "./plan-review.js";
import { toMsOr } from "./resolve-duration.js";
import { resolveFrontend, resolveRunning } from "./resolve-running.js";
import type { RawSection } from "./schema.js";
import type { Aurora, DeadMan, Infrastructure } from "./services.js";

type Raw = RawSection<"infrastructure">;

export function resolveInfrastructure(raw: Raw, environment: string): Infrastructure {
  const defaults = infrastructureDefaults(raw.cluster, environment);
  return {
    account: raw.account ?? null,
    ...{ region: raw.region, cluster: raw.cluster, namespace: raw.namespace },
    azs: raw.azs ?? defaults.azs,
    network: { ...defaults.network, ...raw.network },
    api: { ...defaults.api, ...raw.api },
    frontend: resolveFrontend(raw.frontend, defaults.frontend),
    services: { executor: EXECUTOR_SIZE, ...raw.services },
    exportsBucket: raw.exportsBucket,
    bundleBucket: raw.bundleBucket ?? defaults.bundleBucket,
    policyKeys: raw.policyKeys ?? defaults.policyKeys,
    heartbeatsTable: raw.heartbeatsTable ?? defaults.heartbeatsTable,
    database: raw.database,
    aurora: resolveAurora(raw.aurora, defaults.aurora),
    redis: { ...defaults.redis, ...raw.redis },
    registry: { ...defaults.registry, ...raw.registry },
    deadMan: resolveDeadMan(raw.deadMan, defaults.deadMan),
    identity: { ...defaults.identity, ...raw.identity },
    datadog: { ...defaults.datadog, ...raw.datadog },
    review: resolveReview(raw.review, defaults.review),
    ...resolveRunning(raw, defaults),
    pinInTask: raw.pinInTask ?? defaults.pinInTask,
  };
}

function resolveAurora({ min, max, ...rest }: Raw["aurora"] & object = {}, defaults: Aurora) {
  return {
    ...{ ...defaults, ...rest },
    ...(min !== undefined && { minCapacity: min }),
    ...(max !== undefined && { maxCapacity: max }),
  };
}

function resolveDeadMan(raw: Raw["deadMan"], defaults: DeadMan): DeadMan {
  return {
    enabled: raw?.enabled ?? defaults.enabled,
    afterMs: toMsOr(raw?.after, defaults.afterMs),
  };
}

function resolveReview(raw: Raw["review"], { budgets, drift }: PlanReview): PlanReview {
  return {
    budgets: { ...budgets, ...raw?.budgets },
    drift: { ...drift, ...raw?.drift },
  };
}

export function resolveExceptions(raw: RawSection<"exceptions"> = {}): PlanException[] {
  const names = Object.keys(raw).sort();
  return names.map((name) => ({ name, ...raw[name]! }));
}
