/** A pull request that changes one number changes that number in the plan, and nothing else (HB-env-35). */
import { beforeAll, describe, expect, test } from "vitest";
import type { PolicySet } from "../../src/policy/policy.js";
import type { Infrastructure } from "../../src/policy/services.js";
import { leafChanges } from "../support/leaf-changes.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

let before: Synthesized;
beforeAll(async () => {
  before = await synthesized(makePolicy());
});

async function changesFrom(change: (policy: PolicySet) => PolicySet) {
  const after = await synthesized(change(makePolicy()));
  return leafChanges(before.documents, after.documents);
}

function withLevel(policy: PolicySet, id: string, change: { value?: number; forMs?: number }) {
  const alerts = policy.alerts.map((rule) => ({
    ...rule,
    levels: rule.levels.map((level) => (level.id === id ? { ...level, ...change } : level)),
  }));
  return { ...policy, alerts };
}

function withScaling(
  policy: PolicySet,
  service: "api" | "workers",
  change: Partial<PolicySet["scaling"]["api"]>,
): PolicySet {
  return {
    ...policy,
    scaling: { ...policy.scaling, [service]: { ...policy.scaling[service], ...change } },
  };
}

function withTracking(policy: PolicySet, change: { target?: number; scaleInCooldownS?: number }) {
  const policies = policy.scaling.workers.policies.map((tracked) => ({ ...tracked, ...change }));
  return withScaling(policy, "workers", { policies });
}

function withEstate(policy: PolicySet, change: Partial<Infrastructure>): PolicySet {
  return { ...policy, infrastructure: { ...policy.infrastructure, ...change } };
}

const DATABASE = "algobrain-production-data.resource.aws_rds_cluster.database";
const OBSERVABILITY = "algobrain-production-observability.resource.aws_cloudwatch_metric_alarm";
const SERVICES = "algobrain-production-services.resource";
const TRACKING = `${SERVICES}.aws_appautoscaling_policy.workers-queue-depth-scaling.target_tracking_scaling_policy_configuration`;

const CASES: {
  readonly what: string;
  readonly change: (policy: PolicySet) => PolicySet;
  readonly at: string;
  readonly after: unknown;
}[] = [
  {
    what: "the threshold of an alert",
    change: (policy) => withLevel(policy, "AR-06", { value: 1500 }),
    at: `${OBSERVABILITY}.alarm-AR-06.threshold`,
    after: 1500,
  },
  {
    what: "how long a condition must hold",
    change: (policy) => withLevel(policy, "AR-03", { forMs: 600_000 }),
    at: `${OBSERVABILITY}.alarm-AR-03.evaluation_periods`,
    after: 11,
  },
  {
    what: "how old a heartbeat may be",
    change: (policy) => withLevel(policy, "AR-05", { value: 180 }),
    at: `${OBSERVABILITY}.alarm-AR-05.evaluation_periods`,
    after: 4,
  },
  {
    what: "the most tasks of a service",
    change: (policy) => withScaling(policy, "workers", { max: 100 }),
    at: `${SERVICES}.aws_appautoscaling_target.workers-scaling-target.max_capacity`,
    after: 100,
  },
  {
    what: "the fewest tasks of a service",
    change: (policy) => withScaling(policy, "api", { min: 3 }),
    at: `${SERVICES}.aws_appautoscaling_target.api-scaling-target.min_capacity`,
    after: 3,
  },
  {
    what: "the tasks a service begins with",
    change: (policy) => withScaling(policy, "api", { desired: 4 }),
    at: `${SERVICES}.aws_ecs_service.api-service.desired_count`,
    after: 4,
  },
  {
    what: "the target of a scaling policy",
    change: (policy) => withTracking(policy, { target: 400 }),
    at: `${TRACKING}.target_value`,
    after: 400,
  },
  {
    what: "a cooldown",
    change: (policy) => withTracking(policy, { scaleInCooldownS: 900 }),
    at: `${TRACKING}.scale_in_cooldown`,
    after: 900,
  },
  {
    what: "how long exports are kept",
    change: (policy) => ({ ...policy, retention: { ...policy.retention, exportsDays: 90 } }),
    at: "algobrain-production-data.resource.aws_s3_bucket_lifecycle_configuration.exports-lifecycle.rule.0.expiration.0.days",
    after: 90,
  },
  {
    what: "the memory of a task",
    change: (policy) => ({
      ...policy,
      infrastructure: {
        ...policy.infrastructure,
        services: { ...policy.infrastructure.services, api: { cpu: 512, memoryMiB: 2048 } },
      },
    }),
    at: `${SERVICES}.aws_ecs_task_definition.api-task.memory`,
    after: "2048",
  },
  {
    what: "how long the orchestrator may be silent",
    change: (policy) => withEstate(policy, { deadMan: { enabled: true, afterMs: 300_000 } }),
    at: `${OBSERVABILITY}.dead-man.evaluation_periods`,
    after: 5,
  },
  {
    what: "how far the database may grow",
    change: (policy) => {
      const { aurora } = policy.infrastructure;
      return withEstate(policy, { aurora: { ...aurora, maxCapacity: 24 } });
    },
    at: `${DATABASE}.serverlessv2_scaling_configuration.max_capacity`,
    after: 24,
  },
];

describe("one number in the policy is one leaf in the output", () => {
  test.each(CASES)("$what", async ({ change, at, after }) => {
    const changes = await changesFrom(change);
    expect(changes.map((leaf) => leaf.at)).toEqual([at]);
    expect(changes[0]?.after).toBe(after);
  });

  test("log retention is one number for whatever is a log, and changes nothing else", async () => {
    const changes = await changesFrom((policy) => ({
      ...policy,
      retention: { ...policy.retention, logsDays: 90 },
    }));
    const places = changes.map(({ at }) => at);
    expect(places).toEqual(
      expect.arrayContaining(
        ["api", "executor", "orchestrator", "workers"].map(
          (group) => `${SERVICES}.aws_cloudwatch_log_group.${group}-logs.retention_in_days`,
        ),
      ),
    );
    for (const group of ["shell", "database-tasks"])
      expect(places.some((at) => at.includes(`.${group}-logs.retention_in_days`))).toBe(true);
    for (const at of places)
      expect(at).toMatch(/-logs\.retention_in_days$|access-logs-lifecycle.*expiration\.0\.days$/);
  });

  test("what only the runtime reads changes nothing in AWS", async () => {
    const changes = await changesFrom((policy) => ({
      ...policy,
      retention: { ...policy.retention, eventsDays: 30 },
      healing: { ...policy.healing, crashMax: 5 },
    }));
    expect(changes).toEqual([]);
  });
});

test("two syntheses of one policy are equal byte for byte", async () => {
  expect((await synthesized(makePolicy())).texts).toEqual(before.texts);
});

test("the order in which a policy lists its rules does not show", async () => {
  const policy = makePolicy();
  const turned = await synthesized({ ...policy, alerts: [...policy.alerts].reverse() });
  expect(turned.texts).toEqual(before.texts);
});
