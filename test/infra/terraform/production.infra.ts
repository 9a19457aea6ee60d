/**
 * The whole of production by the real Terraform: from nothing to applied, then nothing to do, and then one number of each
 * kind of policy is exactly its change in place and nothing else (HB-env-35).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PolicySet } from "../../../src/policy/policy.js";
import { STACK_ORDER } from "../../../src/policy/stack-order.js";
import { makePolicy } from "../../support/make-policy.js";
import { type OrderedDocument, orderedDocuments } from "../../support/ordered-documents.js";
import { planChanges } from "../../support/plan-changes.js";
import { repositoryPolicy } from "../../support/repository-policy.js";
import {
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

const ENDPOINT = "https://events.example.test/integration/never-in-a-plan-comment";
const VARIABLES = {
  image_tag: "0123456789abcdef0123456789abcdef01234567",
  alarm_endpoint: ENDPOINT,
};

type Infrastructure = PolicySet["infrastructure"];

function withInfrastructure(change: (was: Infrastructure) => Partial<Infrastructure>) {
  return (policy: PolicySet): PolicySet => ({
    ...policy,
    infrastructure: { ...policy.infrastructure, ...change(policy.infrastructure) },
  });
}

function withWorkers(change: Partial<PolicySet["scaling"]["workers"]>) {
  return (policy: PolicySet): PolicySet => ({
    ...policy,
    scaling: { ...policy.scaling, workers: { ...policy.scaling.workers, ...change } },
  });
}

const ONE_NUMBER: readonly [string, (policy: PolicySet) => PolicySet, readonly string[]][] = [
  [
    "scaling: the most workers",
    withWorkers({ max: 100 }),
    ["aws_appautoscaling_target.workers-scaling-target update max_capacity"],
  ],
  [
    "scaling: the target of a scaling policy",
    (policy) =>
      withWorkers({
        policies: policy.scaling.workers.policies.map((one) => ({ ...one, target: 400 })),
      })(policy),
    [
      "aws_appautoscaling_policy.workers-queue-depth-scaling update target_tracking_scaling_policy_configuration",
    ],
  ],
  [
    "scaling: how many workers a service begins with is no change of a service that lives (HB-aws-02)",
    withWorkers({ desired: 14 }),
    [],
  ],
  [
    "infrastructure: the memory of a task",
    withInfrastructure(({ services }) => ({
      services: { ...services, api: { cpu: 512, memoryMiB: 2048 } },
    })),
    [
      "aws_ecs_service.api-service update task_definition",
      "aws_ecs_task_definition.api-task delete+create",
    ],
  ],
  [
    "infrastructure: the most that the database grows to",
    withInfrastructure(({ aurora }) => ({ aurora: { ...aurora, maxCapacity: 24 } })),
    ["aws_rds_cluster.database update serverlessv2_scaling_configuration"],
  ],
  [
    "infrastructure: how long backups are kept",
    withInfrastructure(({ aurora }) => ({ aurora: { ...aurora, backupDays: 21 } })),
    ["aws_rds_cluster.database update backup_retention_period"],
  ],
  [
    "infrastructure: the nodes of the cache",
    withInfrastructure(({ redis }) => ({ redis: { ...redis, nodes: 3 } })),
    ["aws_elasticache_replication_group.cache update num_cache_clusters"],
  ],
  [
    "infrastructure: how many images are kept of each service",
    withInfrastructure(({ registry }) => ({ registry: { ...registry, keptImages: 500 } })),
    ["api", "executor", "orchestrator", "workers"].map(
      (service) => `aws_ecr_lifecycle_policy.${service}-images-kept update policy`,
    ),
  ],
  [
    "infrastructure: how long the deletion of the key can be taken back",
    withInfrastructure(() => ({ key: { deletionDays: 14 } })),
    ["aws_kms_key.key update deletion_window_in_days"],
  ],
  [
    "infrastructure: how often the balancer asks",
    withInfrastructure(({ balancer }) => ({ balancer: { ...balancer, checkEveryS: 10 } })),
    ["aws_lb_target_group.api-targets update health_check"],
  ],
  [
    "alerts: a threshold",
    (policy) => ({
      ...policy,
      alerts: policy.alerts.map((rule) => ({
        ...rule,
        levels: rule.levels.map((level) =>
          level.id === "AR-06" ? { ...level, value: 1500 } : level,
        ),
      })),
    }),
    ["aws_cloudwatch_metric_alarm.alarm-AR-06 update threshold"],
  ],
  [
    "retention: exports",
    (policy) => ({ ...policy, retention: { ...policy.retention, exportsDays: 90 } }),
    ["aws_s3_bucket_lifecycle_configuration.exports-lifecycle update rule"],
  ],
  [
    "healing, which only the runtime reads",
    (policy) => ({ ...policy, healing: { ...policy.healing, crashMax: 5 } }),
    [],
  ],
];

describe.runIf(terraformPlatform !== null)("terraform: production", () => {
  let sandbox: TerraformSandbox;
  let applied: readonly OrderedDocument[];
  beforeAll(async () => {
    sandbox = await openTerraformSandbox(VARIABLES);
    applied = await orderedDocuments(makePolicy());
  });
  afterAll(() => sandbox?.remove());

  test.each(STACK_ORDER)(
    "terraform: %s: valid, planned, applied, and then nothing to do",
    async (part) => {
      const { terraform } = sandbox;
      const { name, document } = stackOf(part);
      const { folder } = await sandbox.place(name, document);
      expect(await terraform.validate(folder)).toEqual([]);
      expect(await terraform.plan(folder, { out: "plan.bin" })).toBe("changes");
      const plan = await terraform.showPlan(folder, "plan.bin");
      expect(planChanges(plan).filter((line) => !line.endsWith(" create"))).toEqual([]);
      await terraform.apply(folder, "plan.bin");
      expect(await terraform.plan(folder, { out: "again.bin" })).toBe("nothing");
    },
  );

  test.each(ONE_NUMBER)("terraform: %s", async (_what, change, expected) => {
    expect(await changesFrom(change(makePolicy()))).toEqual(expected);
  });

  test("terraform: log retention is one number for every log, and nothing else", async () => {
    const policy = makePolicy();
    const lines = await changesFrom({
      ...policy,
      retention: { ...policy.retention, logsDays: 90 },
    });
    const group = /^aws_cloudwatch_log_group\.[\w-]+ update retention_in_days$/;
    expect(lines.filter((line) => group.test(line)).length).toBeGreaterThanOrEqual(4);
    expect(lines.filter((line) => !group.test(line))).toEqual([
      "aws_s3_bucket_lifecycle_configuration.access-logs-lifecycle update rule",
    ]);
  });

  test("terraform: tasks that the scaler added are no drift (HB-aws-02, X-21)", async () => {
    const before = await sandbox.readEstate();
    await sandbox.editEstate(({ resources }) => {
      const service = "aws_ecs_service/algobrain-prod/workers";
      Object.assign(resources[service]!, { desired_count: 40 });
    });
    expect(await changesOf(stackOf("services"))).toEqual([]);
    await sandbox.editEstate((estate) => Object.assign(estate, before));
  });

  test("terraform: states hold no secret but the address that alarms go to", async () => {
    for (const { part, name } of applied) {
      const state = await sandbox.readState(name);
      expect(state.includes(ENDPOINT), part).toBe(part === "observability");
      expect(state).not.toMatch(/"(secret_string|secret_binary|auth_token|master_password)": "/);
    }
  });

  test("terraform: staging is made beside production, in the same account", async () => {
    const { terraform } = sandbox;
    const before = Object.keys((await sandbox.readEstate()).resources);
    for (const { name, document } of await orderedDocuments(await repositoryPolicy("staging"))) {
      const { folder } = await sandbox.place(name, document);
      await terraform.plan(folder, { out: "plan.bin" });
      // A name that production has is refused here, as AWS would refuse it.
      await terraform.apply(folder, "plan.bin");
    }
    const after = Object.keys((await sandbox.readEstate()).resources);
    expect(after).toEqual(expect.arrayContaining(before));
    expect(await changesOf(stackOf("services"))).toEqual([]);
  });

  function stackOf(part: string): OrderedDocument {
    return applied.find((stack) => stack.part === part)!;
  }

  /** A stack whose document is the same, byte for byte, has been planned already: there is nothing to do. */
  async function changesFrom(policy: PolicySet): Promise<string[]> {
    const lines: string[] = [];
    for (const stack of await orderedDocuments(policy))
      if (JSON.stringify(stack.document) !== JSON.stringify(stackOf(stack.part).document))
        lines.push(...(await changesOf(stack)));
    return lines;
  }

  async function changesOf({ name, document }: OrderedDocument): Promise<string[]> {
    const { folder } = await sandbox.place(name, document);
    await sandbox.terraform.plan(folder, { out: "plan.bin" });
    return planChanges(await sandbox.terraform.showPlan(folder, "plan.bin"));
  }
});
