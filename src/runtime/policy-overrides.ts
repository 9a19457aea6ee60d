/** Policy is the truth; a set variable overrides it and is shown as drift everywhere (design 8.4). */
import type { PolicySet, WorkerKind } from "../policy/policy.js";
import { type Config, concurrencyName } from "./config.js";

export interface Drift {
  /** The variable that differs from the policy, or the path of an emergency setting. */
  readonly name: string;
  /** Null: the policy says nothing, and a default would hold. */
  readonly policyValue: string | number | boolean | null;
  readonly value: string | number | boolean | null;
  /** Of an emergency setting. */
  readonly override?: {
    readonly id: number;
    readonly owner: string;
    readonly reason: string;
    /** ISO 8601. */
    readonly until: string;
  };
  /** Why it does not hold, although its time has not come. */
  readonly unusable?: string;
}

export interface EffectivePolicy {
  readonly policy: PolicySet;
  readonly drift: readonly Drift[];
}

export function applyOverrides(
  policy: PolicySet,
  config: Pick<Config, "overrides">,
): EffectivePolicy {
  const { overrides } = config;
  const drift: Drift[] = [];
  const choose = <T extends string | number | boolean>(
    name: string,
    policyValue: T,
    value: T | null | undefined,
  ): T => {
    if (value === null || value === undefined || value === policyValue) return policyValue;
    drift.push({ name, policyValue, value });
    return value;
  };
  const { infrastructure } = policy;
  const effective: PolicySet = {
    ...policy,
    workers: mapKinds(policy.workers, (worker) => ({
      ...worker,
      concurrency: choose(
        concurrencyName(worker.kind),
        worker.concurrency,
        overrides.concurrency[worker.kind],
      ),
    })),
    healing: {
      ...policy.healing,
      enabled: choose("HEALDEC_ENABLED", policy.healing.enabled, overrides.healingEnabled),
    },
    infrastructure: {
      ...infrastructure,
      region: choose("AWS_REGION", infrastructure.region, overrides.region),
      exportsBucket: choose(
        "S3_EXPORTS_BUCKET",
        infrastructure.exportsBucket,
        overrides.exportsBucket,
      ),
      database: {
        ...infrastructure.database,
        poolSize: choose(
          "DATABASE_POOL_SIZE",
          infrastructure.database.poolSize,
          overrides.poolSize,
        ),
      },
    },
  };
  return { policy: effective, drift };
}

function mapKinds(
  workers: PolicySet["workers"],
  change: (worker: WorkerKind) => WorkerKind,
): PolicySet["workers"] {
  return Object.fromEntries(
    Object.entries(workers).map(([kind, worker]) => [kind, change(worker)]),
  );
}
