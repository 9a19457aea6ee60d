/** A pull request that changes one number changes that number in the plan, and nothing else (HB-env-35). */
import { beforeAll, describe, expect, test } from "vitest";
import type { PolicySet } from "../../src/policy/policy.js";
import { type Infrastructure, SERVICES as SERVICES_BY_NAME } from "../../src/policy/services.js";
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

function withBalancer(change: Partial<Infrastructure["balancer"]>) {
  return (policy: PolicySet) =>
    withEstate(policy, { balancer: { ...policy.infrastructure.balancer, ...change } });
}

function withSite(change: Partial<Infrastructure["frontend"]>) {
  return (policy: PolicySet) =>
    withEstate(policy, { frontend: { ...policy.infrastructure.frontend, ...change } });
}

function withQueries(change: Partial<PolicySet["monitoring"]["queries"]>) {
  return (policy: PolicySet): PolicySet => {
    const { monitoring } = policy;
    return {
      ...policy,
      monitoring: { ...monitoring, queries: { ...monitoring.queries, ...change } },
    };
  };
}

/** The one container of a task definition. */
function containerOf(definitions: unknown): unknown {
  return JSON.parse(String(definitions))[0];
}

const SERVICE_NAMES = [...SERVICES_BY_NAME].sort();
const IMAGES = [
  [{ keptImages: 500 }, '"countNumber":500'],
  [{ untaggedDays: 14 }, '"countNumber":14'],
] as const;
const DATABASE = "algobrain-production-data.resource.aws_rds_cluster.database";
const OBSERVABILITY = "algobrain-production-observability.resource.aws_cloudwatch_metric_alarm";
const SERVICES = "algobrain-production-services.resource";
const TARGETS = `${SERVICES}.aws_lb_target_group.api-targets`;
const DELIVERY = "algobrain-production-delivery.resource";
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
  {
    what: "what a slow request is",
    change: withQueries({ slowMs: 500 }),
    at: "algobrain-production-observability.resource.aws_cloudwatch_query_definition.query-slow-requests.query_string",
    after: [
      "fields @timestamp, method, route, status, duration_ms, request_id",
      '| filter event = "request.answered" and duration_ms > 500',
      "| sort duration_ms desc",
      "| limit 100",
    ].join("\n"),
  },
  {
    what: "how much of one request is listed",
    change: withQueries({ requestLines: 500 }),
    at: "algobrain-production-observability.resource.aws_cloudwatch_query_definition.query-by-request-id.query_string",
    after: [
      "fields @timestamp, @message",
      '| filter request_id = "REQUEST_ID"',
      "| sort @timestamp asc",
      "| limit 500",
    ].join("\n"),
  },
  {
    what: "how long a replaced file of the site can be had back",
    change: withSite({ oldVersionDays: 90 }),
    at: `${DELIVERY}.aws_s3_bucket_lifecycle_configuration.frontend-lifecycle.rule.0.noncurrent_version_expiration.0.noncurrent_days`,
    after: 90,
  },
  {
    what: "how long CloudFront keeps a file that says nothing",
    change: withSite({ cachedS: 600 }),
    at: `${DELIVERY}.aws_cloudfront_cache_policy.frontend-caching.default_ttl`,
    after: 600,
  },
  {
    what: "how long CloudFront keeps a file at most",
    change: withSite({ cachedAtMostS: 172_800 }),
    at: `${DELIVERY}.aws_cloudfront_cache_policy.frontend-caching.max_ttl`,
    after: 172_800,
  },
  {
    what: "how long browsers come by HTTPS alone",
    change: withSite({ httpsOnlyDays: 730 }),
    at: `${DELIVERY}.aws_cloudfront_response_headers_policy.frontend-headers.security_headers_config.strict_transport_security.access_control_max_age_sec`,
    after: 730 * 86_400,
  },
  {
    what: "how long the deletion of the key can be taken back",
    change: (policy) => withEstate(policy, { key: { deletionDays: 14 } }),
    at: "algobrain-production-network.resource.aws_kms_key.key.deletion_window_in_days",
    after: 14,
  },
  {
    what: "how long a task that goes has for its requests",
    change: withBalancer({ drainS: 90 }),
    at: `${TARGETS}.deregistration_delay`,
    after: "90",
  },
  {
    what: "how often the balancer asks",
    change: withBalancer({ checkEveryS: 10 }),
    at: `${TARGETS}.health_check.interval`,
    after: 10,
  },
  {
    what: "how long the balancer waits for an answer",
    change: withBalancer({ checkTimeoutS: 3 }),
    at: `${TARGETS}.health_check.timeout`,
    after: 3,
  },
  {
    what: "how many good answers bring a task in",
    change: withBalancer({ healthyAfter: 4 }),
    at: `${TARGETS}.health_check.healthy_threshold`,
    after: 4,
  },
  {
    what: "how many bad answers take a task out",
    change: withBalancer({ unhealthyAfter: 4 }),
    at: `${TARGETS}.health_check.unhealthy_threshold`,
    after: 4,
  },
  {
    what: "when the balancer begins to judge a task",
    change: withBalancer({ graceS: 120 }),
    at: `${SERVICES}.aws_ecs_service.api-service.health_check_grace_period_seconds`,
    after: 120,
  },
  {
    what: "how many workers there are during a deployment",
    change: (policy) => withEstate(policy, { deployment: { workersPercent: 120 } }),
    at: `${SERVICES}.aws_ecs_service.workers-service.deployment_maximum_percent`,
    after: 120,
  },
];

const TASKS: readonly (readonly [string, Partial<Infrastructure["tasks"]>, object])[] = [
  ["what it has to end", { stopTimeoutS: 90 }, { stopTimeout: 90 }],
  ["how often it is asked", { checkEveryS: 20 }, { healthCheck: { interval: 20 } }],
  ["how long it is waited for", { checkTimeoutS: 7 }, { healthCheck: { timeout: 7 } }],
  ["how many bad answers end it", { checkTries: 4 }, { healthCheck: { retries: 4 } }],
  ["when bad answers count", { startS: 90 }, { healthCheck: { startPeriod: 90 } }],
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

  test.each(TASKS)("of tasks, %s is one number for every service", async (_, tasks, said) => {
    const changes = await changesFrom((policy) =>
      withEstate(policy, { tasks: { ...policy.infrastructure.tasks, ...tasks } }),
    );
    expect(changes.map(({ at }) => at)).toEqual(
      SERVICE_NAMES.map(
        (name) => `${SERVICES}.aws_ecs_task_definition.${name}-task.container_definitions`,
      ),
    );
    for (const { before: was, after: is } of changes) {
      expect(containerOf(is)).toMatchObject(said);
      expect(containerOf(was)).not.toMatchObject(said);
    }
  });

  test("what the image repositories keep is one number for every repository", async () => {
    for (const [keys, words] of IMAGES) {
      const changes = await changesFrom((policy) =>
        withEstate(policy, { registry: { ...policy.infrastructure.registry, ...keys } }),
      );
      expect(changes.map(({ at }) => at)).toEqual(
        SERVICE_NAMES.map(
          (name) =>
            `algobrain-production-registry.resource.aws_ecr_lifecycle_policy.${name}-images-kept.policy`,
        ),
      );
      for (const { before: was, after: is } of changes)
        expect([String(is).includes(words), String(was).includes(words)]).toEqual([true, false]);
    }
  });

  test("what nobody finished to upload goes from every bucket on the same day", async () => {
    const changes = await changesFrom((policy) =>
      withEstate(policy, { buckets: { abandonedUploadDays: 3 } }),
    );
    expect(changes.map(({ after }) => after)).toEqual([3, 3, 3, 3]);
    for (const { at } of changes)
      expect(at).toMatch(/abort_incomplete_multipart_upload\.0\.days_after_initiation$/);
  });

  test("both tasks of the database have one size", async () => {
    const changes = await changesFrom((policy) =>
      withEstate(policy, { databaseTask: { cpu: 256, memoryMiB: 1024 } }),
    );
    expect(changes).toMatchObject(
      ["migrate", "prepare"].map((name) => ({
        at: `algobrain-production-cluster.resource.aws_ecs_task_definition.${name}-task.memory`,
        after: "1024",
      })),
    );
    expect(changes).toHaveLength(2);
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
