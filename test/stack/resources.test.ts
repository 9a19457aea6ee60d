/** GIVEN the handbook's production policy, WHEN synthesized, THEN its AWS resources stand there (HB-aws-…). */
import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

let production: Synthesized;
beforeAll(async () => {
  production = await synthesized(makePolicy());
});

function container(service: string): JsonObject {
  const task = production.resource("aws_ecs_task_definition", `${service}-task`);
  return JSON.parse(String(task.container_definitions))[0];
}

describe("services", () => {
  test("the cluster has the policy's name and logs remote shells (HB-aws-01, HB-aws-22)", () => {
    expect(production.resource("aws_ecs_cluster", "cluster")).toMatchObject({
      name: "algobrain-prod",
      configuration: { execute_command_configuration: { logging: "OVERRIDE" } },
    });
  });

  test.each([
    ["api", 2],
    ["orchestrator", 1],
    ["workers", 12],
    ["executor", 1],
  ])(
    "%s begins with %i tasks and a later apply leaves its count alone (HB-aws-02…04, X-21)",
    (service, desired) => {
      expect(production.resource("aws_ecs_service", `${service}-service`)).toMatchObject({
        name: service,
        desired_count: desired,
        lifecycle: { ignore_changes: ["desired_count"] },
        enable_execute_command: service !== "executor",
        deployment_circuit_breaker: { enable: true, rollback: true },
      });
    },
  );

  test("the orchestrator is stopped before its successor starts (HB-aws-03, X-08)", () => {
    expect(production.resource("aws_ecs_service", "orchestrator-service")).toMatchObject({
      deployment_minimum_healthy_percent: 0,
      deployment_maximum_percent: 100,
    });
  });

  test("api and workers never run below their count during a deployment", () => {
    for (const service of ["api", "workers"]) {
      expect(
        production.resource("aws_ecs_service", `${service}-service`)
          .deployment_minimum_healthy_percent,
      ).toBe(100);
    }
  });

  test.each([
    ["api", "512", "1024"],
    ["orchestrator", "256", "512"],
    ["workers", "1024", "2048"],
    ["executor", "512", "1024"],
  ])("the task of %s has the policy's size", (service, cpu, memory) => {
    expect(production.resource("aws_ecs_task_definition", `${service}-task`)).toMatchObject({
      family: `algobrain-${service}`,
      cpu,
      memory,
    });
  });

  test("each task logs to the group of its service (HB-aws-05)", () => {
    for (const service of ["api", "orchestrator", "workers"]) {
      expect(container(service).logConfiguration).toMatchObject({
        options: { "awslogs-group": `\${aws_cloudwatch_log_group.${service}-logs.name}` },
      });
    }
  });

  test("worker numbers are pinned in the task only when the policy says so (design 8.4)", async () => {
    expect(container("workers").environment).not.toContainEqual(
      expect.objectContaining({ name: "WORKER_CONCURRENCY_IDENTITY" }),
    );
    const policy = makePolicy();
    const pinned = await synthesized({
      ...policy,
      infrastructure: { ...policy.infrastructure, pinInTask: true },
    });
    const task = pinned.resource("aws_ecs_task_definition", "workers-task");
    expect(JSON.parse(String(task.container_definitions))[0].environment).toContainEqual({
      name: "WORKER_CONCURRENCY_IDENTITY",
      value: "10",
    });
  });
});

describe("scaling", () => {
  test.each([
    ["api", 2, 10],
    ["workers", 12, 120],
  ])("%s scales from %i to %i (HB-aws-02, HB-aws-04, X-11)", (service, min, max) => {
    expect(
      production.resource("aws_appautoscaling_target", `${service}-scaling-target`),
    ).toMatchObject({
      min_capacity: min,
      max_capacity: max,
      service_namespace: "ecs",
      scalable_dimension: "ecs:service:DesiredCount",
    });
  });

  test("the orchestrator does not scale", () => {
    expect(Object.keys(production.resources("aws_appautoscaling_target"))).toEqual([
      "api-scaling-target",
      "workers-scaling-target",
    ]);
  });

  test("api-cpu-scaling tracks 70 % CPU, in after 300 s, out after 60 s (HB-aws-07)", () => {
    expect(production.resource("aws_appautoscaling_policy", "api-cpu-scaling")).toMatchObject({
      name: "api-cpu-scaling",
      policy_type: "TargetTrackingScaling",
      target_tracking_scaling_policy_configuration: {
        predefined_metric_specification: {
          predefined_metric_type: "ECSServiceAverageCPUUtilization",
        },
        target_value: 70,
        scale_in_cooldown: 300,
        scale_out_cooldown: 60,
      },
    });
  });

  test("workers-queue-depth-scaling tracks 500 queued jobs, in after 600 s, out after 120 s (HB-aws-08)", () => {
    expect(
      production.resource("aws_appautoscaling_policy", "workers-queue-depth-scaling"),
    ).toMatchObject({
      policy_type: "TargetTrackingScaling",
      target_tracking_scaling_policy_configuration: {
        customized_metric_specification: {
          metric_name: "JobQueueDepth",
          namespace: "AlgoBrain",
          statistic: "Average",
        },
        target_value: 500,
        scale_in_cooldown: 600,
        scale_out_cooldown: 120,
      },
    });
  });
});

describe("data, logs and images", () => {
  test("all log groups keep 30 days, not just one, and are encrypted (HB-aws-18, X-27)", () => {
    const groups = Object.values(production.resources("aws_cloudwatch_log_group"));
    expect(groups.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "/ecs/algobrain-api",
        "/ecs/algobrain-executor",
        "/ecs/algobrain-orchestrator",
        "/ecs/algobrain-remote-shell",
        "/ecs/algobrain-workers",
      ]),
    );
    for (const { retention_in_days, kms_key_id } of groups) {
      expect(retention_in_days).toBe(30);
      expect(kms_key_id).toContain("kms_key_arn");
    }
  });

  test("the exports bucket is private, encrypted, and forgets (HB-aws-15)", () => {
    expect(production.resource("aws_s3_bucket", "exports")).toMatchObject({
      bucket: "algobrain-exports",
      lifecycle: { prevent_destroy: true },
    });
    expect(
      production.resource("aws_s3_bucket_public_access_block", "exports-access"),
    ).toMatchObject({
      block_public_acls: true,
      block_public_policy: true,
      ignore_public_acls: true,
      restrict_public_buckets: true,
    });
    expect(
      production.resource(
        "aws_s3_bucket_server_side_encryption_configuration",
        "exports-encryption",
      ),
    ).toMatchObject({
      rule: [{ apply_server_side_encryption_by_default: { sse_algorithm: "aws:kms" } }],
    });
    expect(
      production.resource("aws_s3_bucket_lifecycle_configuration", "exports-lifecycle"),
    ).toMatchObject({ rule: [{ status: "Enabled", expiration: [{ days: 60 }] }] });
  });

  test("an image that production runs is not forgotten because others were merged since (X-20)", () => {
    const lists = Object.values(production.resources("aws_ecr_lifecycle_policy"));
    expect(lists).toHaveLength(4);
    for (const { policy } of lists) {
      const { rules } = JSON.parse(String(policy)) as {
        readonly rules: readonly { readonly selection: Readonly<Record<string, unknown>> }[];
      };
      const tagged = rules.filter(({ selection }) => selection.tagStatus !== "untagged");
      expect(tagged).toHaveLength(1);
      // Never by age: what runs may be as old as it likes.
      expect(tagged[0]!.selection).toMatchObject({ countType: "imageCountMoreThan" });
      expect(tagged[0]!.selection.countNumber).toBeGreaterThanOrEqual(1_000);
    }
  });

  test("image repositories scan on push and never move a tag (HB-aws-06)", () => {
    const repositories = Object.values(production.resources("aws_ecr_repository"));
    expect(repositories.map(({ name }) => name)).toEqual([
      "algobrain-api",
      "algobrain-executor",
      "algobrain-orchestrator",
      "algobrain-workers",
    ]);
    for (const repository of repositories) {
      expect(repository).toMatchObject({
        image_tag_mutability: "IMMUTABLE",
        image_scanning_configuration: { scan_on_push: true },
      });
    }
  });

  test("no task runs an image called latest: the tag is a commit, asked for at apply (X-20)", () => {
    for (const service of ["api", "orchestrator", "workers"]) {
      expect(container(service).image).toBe(
        `\${data.terraform_remote_state.registry.outputs.repository_urls.${service}}:\${var.image_tag}`,
      );
    }
    expect(production.texts["algobrain-production-services"]).toContain("[0-9a-f]{40}");
    expect(Object.values(production.texts).join("")).not.toContain("latest");
  });
});

describe("environment", () => {
  test("provider and state lie in the policy's region (HB-aws-23, HB-env-30)", async () => {
    const policy = makePolicy();
    const elsewhere = await synthesized({
      ...policy,
      infrastructure: { ...policy.infrastructure, region: "eu-central-1" },
    });
    for (const document of Object.values(elsewhere.documents)) {
      expect(document).toMatchObject({
        provider: { aws: [{ region: "eu-central-1" }] },
        terraform: {
          backend: { s3: { region: "eu-central-1", use_lockfile: true, encrypt: true } },
        },
      });
    }
  });

  test("only the local environment keeps its state in a file", async () => {
    const local = await synthesized(makePolicy({ environment: "local" }));
    for (const document of Object.values(local.documents)) {
      expect(document.terraform).toMatchObject({
        backend: { local: { path: "terraform.tfstate" } },
      });
    }
  });
});
