/** A stack as small as a plan for tests may be. */
/** The folder it is placed in, and so the name of its state. */
export const SCENE_NAME = "algobrain-production-scene";

/** A small stack with one resource of each kind that a review of plans must tell apart; each call makes a new one. */
export function planScene() {
  return {
    terraform: {
      required_version: ">= 1.10",
      required_providers: { aws: { source: "hashicorp/aws", version: "6.25.0" } },
    },
    provider: { aws: [{ region: "us-east-1" }] },
    resource: {
      aws_ecs_cluster: { cluster: { name: "algobrain-prod" } },
      aws_appautoscaling_target: {
        "workers-scaling-target": {
          min_capacity: 12,
          max_capacity: 120,
          resource_id: "service/algobrain-prod/workers",
          scalable_dimension: "ecs:service:DesiredCount",
          service_namespace: "ecs",
          depends_on: ["aws_ecs_service.workers-service"],
        },
      },
      aws_ecs_service: {
        "workers-service": {
          name: "workers",
          cluster: reference("aws_ecs_cluster.cluster.arn"),
          desired_count: 12,
          launch_type: "FARGATE",
          task_definition: reference("aws_ecs_task_definition.workers-task.arn"),
        },
      },
      aws_ecs_task_definition: { "workers-task": sceneTask({ memory: "4096", concurrency: "10" }) },
      aws_cloudwatch_log_group: {
        "workers-logs": { name: "/ecs/algobrain-workers", retention_in_days: 30 },
      },
      aws_cloudwatch_metric_alarm: {
        "alarm-AR-06": {
          alarm_name: "AR-06 Queue Depth High",
          comparison_operator: "GreaterThanThreshold",
          evaluation_periods: 5,
          metric_name: "JobQueueDepth",
          namespace: "AlgoBrain",
          period: 60,
          statistic: "Average",
          threshold: 1000,
        },
      },
      aws_s3_bucket: { exports: { bucket: "algobrain-exports" } },
      aws_s3_bucket_lifecycle_configuration: {
        "exports-lifecycle": {
          bucket: reference("aws_s3_bucket.exports.bucket"),
          rule: [{ id: "expire", status: "Enabled", expiration: [{ days: 30 }] }],
        },
      },
      aws_iam_role: {
        "workers-role": {
          name: "algobrain-workers-task",
          assume_role_policy: JSON.stringify({ Version: "2012-10-17", Statement: [] }),
        },
      },
      aws_iam_role_policy: {
        "workers-power": {
          name: "exports",
          role: reference("aws_iam_role.workers-role.name"),
          policy: JSON.stringify({ Statement: [{ Effect: "Allow", Action: "s3:PutObject" }] }),
        },
      },
      aws_secretsmanager_secret: {
        "secret-jwt": { name: "algobrain/prod/jwt-secret", recovery_window_in_days: 30 },
      },
    },
    output: {
      cluster_name: { value: reference("aws_ecs_cluster.cluster.name") },
    },
  };
}

export type PlanScene = ReturnType<typeof planScene>;

function reference(expression: string): string {
  return `\${${expression}}`;
}

/** One environment value is not marked as sensitive anywhere, as values often are not. */
export function sceneTask({ memory, concurrency }: { memory: string; concurrency: string }) {
  const environment = [
    { name: "WORKER_CONCURRENCY", value: concurrency },
    { name: "NOT_MARKED_SENSITIVE", value: "value-that-nobody-may-see" },
  ];
  return {
    family: "algobrain-workers",
    cpu: "1024",
    memory,
    network_mode: "awsvpc",
    requires_compatibilities: ["FARGATE"],
    container_definitions: JSON.stringify([
      { name: "workers", image: "algobrain-workers:0123456789", environment },
    ]),
  };
}
