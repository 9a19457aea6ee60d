/** GIVEN the handbook's production policy, WHEN synthesized, THEN people get in, the site is served, and silence is heard. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { logQueries } from "../../src/alert/outlet/log-queries.js";
import type { JsonObject } from "../../src/base/json.js";
import { MONITORING_DEFAULTS } from "../../src/policy/defaults.js";
import type { PolicySet } from "../../src/policy/policy.js";
import type { Infrastructure, ScalingTarget } from "../../src/policy/services.js";
import { ROOT } from "../house/source-tree.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

const LOG_QUERIES = logQueries(MONITORING_DEFAULTS.queries);

const SERVICES = ["api", "orchestrator", "workers", "executor"];
const CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1";

const FORWARDER = "arn:aws:lambda:us-east-1:123456789012:function:datadog-forwarder";
const KEY = `${"A".repeat(43)}=`;

let production: Synthesized;
/** What is there already is taken: a certificate, a forwarder; a pinned key, and no CDN. */
let given: Synthesized;
/** No site and no dead-man, and a forwarder that has to be installed. */
let without: Synthesized;
beforeAll(async () => {
  const { api, frontend } = makePolicy().infrastructure;
  production = await synthesized(makePolicy());
  given = await synthesized(
    withMemoryScaling({
      api: { ...api, certificateArn: CERTIFICATE },
      policyKeys: [KEY],
      frontend: { ...frontend, cdn: false },
      deadMan: { enabled: true, afterMs: 270_000 },
      datadog: { forwarder: true, forwarderArn: FORWARDER },
    }),
  );
  without = await synthesized(
    withEstate({
      frontend: { ...frontend, enabled: false },
      deadMan: { enabled: false, afterMs: 180_000 },
      datadog: { forwarder: true, forwarderArn: null },
    }),
  );
});

function withMemoryScaling(change: Partial<Infrastructure>): PolicySet {
  const policy = withEstate(change);
  const { api } = policy.scaling;
  const memory: ScalingTarget = {
    ...{ name: "api-memory-scaling", target: 80, scaleInCooldownS: 300, scaleOutCooldownS: 60 },
    metric: { predefined: "ECSServiceAverageMemoryUtilization" },
  };
  const policies = [...api.policies, memory];
  return { ...policy, scaling: { ...policy.scaling, api: { ...api, policies } } };
}

function withEstate(change: Partial<Infrastructure>): PolicySet {
  const policy = makePolicy();
  return { ...policy, infrastructure: { ...policy.infrastructure, ...change } };
}

function container(output: Synthesized, service: string): JsonObject {
  const task = output.resource("aws_ecs_task_definition", `${service}-task`);
  return JSON.parse(String(task.container_definitions))[0];
}

function environmentOf(output: Synthesized, service: string): Record<string, string> {
  const variables = container(output, service).environment as { name: string; value: string }[];
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

/** What the processes of a service may do: actions, with the resources they may do it to. */
function grants(output: Synthesized, service: string): Map<string, string[]> {
  const { policy } = output.resource("aws_iam_role_policy", `${service}-task-policy`);
  const { Statement } = JSON.parse(String(policy));
  return new Map(
    Statement.flatMap(({ Action, Resource }: { Action: string[]; Resource: string[] }) =>
      Action.map((action) => [action, Resource]),
    ),
  );
}

describe("the way in (HB-aws-17, HB-req-10)", () => {
  test("an application load balancer takes HTTPS with a policy of TLS 1.2 and 1.3", () => {
    expect(production.resource("aws_lb", "balancer")).toMatchObject({
      load_balancer_type: "application",
      internal: false,
      drop_invalid_header_fields: true,
      enable_deletion_protection: true,
    });
    expect(production.resource("aws_lb_listener", "https")).toMatchObject({
      port: 443,
      protocol: "HTTPS",
      ssl_policy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
      default_action: [{ type: "forward" }],
    });
  });

  test("port 80 only says where to go", () => {
    expect(production.resource("aws_lb_listener", "redirect")).toMatchObject({
      port: 80,
      default_action: [
        { type: "redirect", redirect: { status_code: "HTTP_301", protocol: "HTTPS", port: "443" } },
      ],
    });
  });

  test("who came is written down (LB-aws-08)", () => {
    expect(production.resource("aws_lb", "balancer").access_logs).toMatchObject({ enabled: true });
  });

  test("a target is asked below /health whether it lives, never whether its database does (X-60)", () => {
    const { health_check, target_type } = production.resource("aws_lb_target_group", "api-targets");
    expect(health_check).toMatchObject({ path: "/health/live", matcher: "200" });
    expect(target_type).toBe("ip");
  });

  test("the API alone stands behind it, after its listener, and has time to start", () => {
    expect(production.resource("aws_ecs_service", "api-service")).toMatchObject({
      load_balancer: [{ container_name: "api", container_port: 3001 }],
      health_check_grace_period_seconds: 60,
      depends_on: ["aws_lb_listener.https"],
    });
    for (const service of SERVICES.slice(1))
      expect(production.resource("aws_ecs_service", `${service}-service`)).not.toHaveProperty(
        "load_balancer",
      );
  });

  test("the port that it calls is the one that tasks listen on, and is open to it", () => {
    const { port } = production.resource("aws_lb_target_group", "api-targets");
    expect(environmentOf(production, "api").PORT).toBe(String(port));
    const rules = Object.values(production.resources("aws_vpc_security_group_ingress_rule"));
    expect(rules).toContainEqual(expect.objectContaining({ from_port: port, to_port: port }));
  });

  test("its certificate is the policy's, or asked for by the name of the host", () => {
    const certificate = production.resource("aws_acm_certificate", "api-certificate");
    expect(certificate).toMatchObject({ validation_method: "DNS" });
    expect(certificate.domain_name).toBe(makePolicy().infrastructure.api.host);
    expect(given.resource("aws_lb_listener", "https").certificate_arn).toBe(CERTIFICATE);
    expect(given.resources("aws_acm_certificate")).not.toHaveProperty("api-certificate");
  });
});

describe("every service", () => {
  test.each(SERVICES)("%s rolls a failed deployment back by itself (LB-aws-03)", (service) => {
    expect(production.resource("aws_ecs_service", `${service}-service`)).toMatchObject({
      deployment_circuit_breaker: { enable: true, rollback: true },
      network_configuration: { assign_public_ip: false },
    });
  });

  test.each(SERVICES)("%s runs as nobody, on a root it cannot write to", (service) => {
    const { user, readonlyRootFilesystem, mountPoints } = container(production, service);
    expect({ user, readonlyRootFilesystem }).toEqual({
      user: "10001",
      readonlyRootFilesystem: true,
    });
    const { volume } = production.resource("aws_ecs_task_definition", `${service}-task`);
    const mounted = (mountPoints as JsonObject[]).map(({ sourceVolume }) => ({
      name: sourceVolume,
    }));
    expect(volume).toEqual(mounted);
    const paths = (mountPoints as JsonObject[]).map(({ containerPath }) => containerPath);
    expect(paths).toEqual(expect.arrayContaining(["/var/lib/algobrain", "/tmp"]));
  });

  test.each(SERVICES)("%s is told its commit, its home and an encrypted cache", (service) => {
    expect(environmentOf(production, service)).toMatchObject({
      ALGOBRAIN_COMMIT: `\${var.image_tag}`,
      ALGOBRAIN_HOME: "/var/lib/algobrain",
      REDIS_URL: expect.stringMatching(/^rediss:.*cache_endpoint.*:6379$/),
    });
  });

  test.each(SERVICES)("%s is asked whether it lives as its image would be", async (service) => {
    const dockerfile = await readFile(join(ROOT, "infra", "docker", "Dockerfile"), "utf8");
    const { command, interval, timeout, retries } = container(production, service)
      .healthCheck as JsonObject;
    const asked = JSON.stringify((command as string[]).slice(1)).replaceAll(",", ", ");
    expect(dockerfile).toMatch(
      new RegExp(
        `^HEALTHCHECK --interval=${interval}s --timeout=${timeout}s .*--retries=${retries} CMD .*`,
        "m",
      ),
    );
    expect(dockerfile).toContain(`CMD ${asked}`);
  });

  test("no role of theirs outgrows the boundary", () => {
    const roles = Object.entries(production.resources("aws_iam_role")).filter(([id]) =>
      /-(task|execution)-role$/.test(id),
    );
    // And those of the task that migrates and of the one that prepares, which also fills secrets.
    expect(roles).toHaveLength(2 * SERVICES.length + 3);
    for (const [, { permissions_boundary }] of roles)
      expect(permissions_boundary).toContain("boundary_arn");
  });

  test("bundles are read only where a key is pinned to believe them by", () => {
    expect(environmentOf(production, "api")).not.toHaveProperty("POLICY_SOURCE");
    const { bundleBucket } = makePolicy().infrastructure;
    expect(environmentOf(given, "orchestrator")).toMatchObject({
      POLICY_SOURCE: `s3://${bundleBucket}/policies/current.json`,
      POLICY_PUBLIC_KEY: KEY,
    });
    expect([...grants(given, "orchestrator").keys()]).toContain("s3:GetObject");
    expect([...grants(production, "orchestrator").keys()]).not.toContain("s3:GetObject");
  });
});

describe("the executor (design 3, 15)", () => {
  test("is one task, and one at a time", () => {
    expect(production.resource("aws_ecs_service", "executor-service")).toMatchObject({
      desired_count: 1,
      deployment_minimum_healthy_percent: 0,
      deployment_maximum_percent: 100,
    });
  });

  test("may itself only take the role that its runs are narrowed from, and is told which", () => {
    const may = grants(production, "executor");
    expect([...may.keys()]).toEqual(["sts:AssumeRole"]);
    expect(may.get("sts:AssumeRole")).toEqual([expect.stringContaining("executor_role_arn")]);
    expect(environmentOf(production, "executor").AWS_EXECUTOR_ROLE_ARN).toContain(
      "executor_role_arn",
    );
  });

  test("nobody else may take it, and nobody gets a shell beside it", () => {
    for (const service of ["api", "orchestrator", "workers"]) {
      expect([...grants(production, service).keys()]).not.toContain("sts:AssumeRole");
      expect(environmentOf(production, service)).not.toHaveProperty("AWS_EXECUTOR_ROLE_ARN");
    }
    const { enable_execute_command } = production.resource("aws_ecs_service", "executor-service");
    expect(enable_execute_command).toBe(false);
    expect([...grants(production, "executor").keys()].join()).not.toContain("ssmmessages");
  });
});

describe("scaling by what a policy lists (LB-aws-04)", () => {
  test("may follow memory beside processors, each with its own patience", () => {
    for (const [name, metric, target] of [
      ["api-cpu-scaling", "ECSServiceAverageCPUUtilization", 70],
      ["api-memory-scaling", "ECSServiceAverageMemoryUtilization", 80],
    ] as const)
      expect(given.resource("aws_appautoscaling_policy", name)).toMatchObject({
        policy_type: "TargetTrackingScaling",
        resource_id: `\${aws_appautoscaling_target.api-scaling-target.resource_id}`,
        target_tracking_scaling_policy_configuration: {
          predefined_metric_specification: { predefined_metric_type: metric },
          target_value: target,
          scale_in_cooldown: 300,
          scale_out_cooldown: 60,
        },
      });
  });
});

describe("power by process", () => {
  test("only the orchestrator can write the heartbeat that the dead-man listens for", () => {
    const publishers = SERVICES.filter((service) =>
      grants(production, service).has("cloudwatch:PutMetricData"),
    );
    const beating = SERVICES.filter((service) =>
      grants(production, service).has("dynamodb:PutItem"),
    );
    expect([publishers, beating]).toEqual([["orchestrator"], ["orchestrator"]]);
  });

  test("only workers write exports", () => {
    const writers = SERVICES.filter((service) => grants(production, service).has("s3:PutObject"));
    expect(writers).toEqual(["workers"]);
  });

  test("remote shells are encrypted and recorded in a group of their own (HB-aws-22)", () => {
    const { configuration } = production.resource("aws_ecs_cluster", "cluster");
    expect(configuration).toMatchObject({
      execute_command_configuration: {
        logging: "OVERRIDE",
        kms_key_id: expect.stringContaining("kms_key_arn"),
        log_configuration: {
          cloud_watch_encryption_enabled: true,
          cloud_watch_log_group_name: expect.stringContaining("shell-logs"),
        },
      },
    });
    expect(grants(production, "api").get("logs:PutLogEvents")).toEqual([
      expect.stringContaining("shell_logs_arn"),
    ]);
  });
});

describe("the site (HB-aws-14, HB-aws-16, HB-req-09)", () => {
  test("its bucket is private, and read by our distribution alone", () => {
    const { frontend } = makePolicy().infrastructure;
    expect(production.resource("aws_s3_bucket", "frontend").bucket).toBe(frontend.bucket);
    expect(
      production.resource("aws_s3_bucket_public_access_block", "frontend-access"),
    ).toMatchObject({ block_public_policy: true, restrict_public_buckets: true });
    const { policy } = production.resource("aws_s3_bucket_policy", "frontend-policy");
    const allowed = JSON.parse(String(policy)).Statement.filter(
      ({ Effect }: { Effect: string }) => Effect === "Allow",
    );
    expect(allowed).toEqual([
      expect.objectContaining({
        Principal: { Service: "cloudfront.amazonaws.com" },
        Action: ["s3:GetObject"],
        Condition: {
          StringEquals: { "AWS:SourceArn": `\${aws_cloudfront_distribution.cdn.arn}` },
        },
      }),
    ]);
  });

  test("is served under its name, over HTTPS and nothing else", () => {
    const { frontend } = makePolicy().infrastructure;
    expect(production.resource("aws_cloudfront_distribution", "cdn")).toMatchObject({
      aliases: [frontend.host],
      default_root_object: "index.html",
      default_cache_behavior: { viewer_protocol_policy: "https-only" },
      viewer_certificate: { minimum_protocol_version: "TLSv1.2_2021" },
    });
    expect(
      production.resource("aws_cloudfront_origin_access_control", "frontend-signing"),
    ).toMatchObject({ signing_behavior: "always", signing_protocol: "sigv4" });
    expect(production.resource("aws_acm_certificate", "frontend-certificate").region).toBe(
      "us-east-1",
    );
  });

  test("lets files say how long they hold: index.html not at all (X-22)", () => {
    expect(production.resource("aws_cloudfront_cache_policy", "frontend-caching").min_ttl).toBe(0);
  });

  test("without the CDN there is a bucket that nobody reads, and without a site nothing", () => {
    expect(given.resources("aws_cloudfront_distribution")).toEqual({});
    const { policy } = given.resource("aws_s3_bucket_policy", "frontend-policy");
    expect(String(policy)).not.toContain("cloudfront");
    expect(without.documents["algobrain-production-delivery"]).not.toHaveProperty("resource");
  });
});

describe("what is looked at", () => {
  test("silence of the orchestrator pages: missing is breaching (design 3, 16)", () => {
    expect(production.resource("aws_cloudwatch_metric_alarm", "dead-man")).toMatchObject({
      namespace: "AlgoBrain",
      metric_name: "Heartbeat",
      dimensions: { service: "orchestrator" },
      statistic: "Sum",
      comparison_operator: "LessThanThreshold",
      threshold: 1,
      period: 60,
      evaluation_periods: 3,
      treat_missing_data: "breaching",
      alarm_actions: [`\${aws_sns_topic.alarms.arn}`],
    });
  });

  test("its patience is the policy's, and it can be switched off", () => {
    expect(given.resource("aws_cloudwatch_metric_alarm", "dead-man").evaluation_periods).toBe(5);
    expect(without.resources("aws_cloudwatch_metric_alarm")).not.toHaveProperty("dead-man");
  });

  test("every saved query asks the logs of all services (HB-log-01…03, LB-cli-08, X-27)", () => {
    for (const { name, text } of LOG_QUERIES) {
      expect(production.resource("aws_cloudwatch_query_definition", `query-${name}`)).toEqual(
        expect.objectContaining({
          name: `algobrain-prod/${name}`,
          query_string: text,
          log_group_names: SERVICES.map((service) => `/ecs/algobrain-${service}`),
        }),
      );
    }
  });

  test("the topic of alarms is encrypted with our key, which lets alarms publish", () => {
    const { kms_master_key_id } = production.resource("aws_sns_topic", "alarms");
    expect(kms_master_key_id).toContain("kms_key_arn");
  });

  test("the overview is a dashboard of the environment (HB-dash-01)", () => {
    const { dashboard_name, dashboard_body } = production.resource(
      "aws_cloudwatch_dashboard",
      "overview",
    );
    expect(dashboard_name).toBe("algobrain-prod-overview");
    expect(JSON.parse(String(dashboard_body)).widgets.length).toBeGreaterThan(3);
  });
});

describe("logs to Datadog (HB-aws-20)", () => {
  test("are not sent unless the policy says so", () => {
    expect(production.resources("aws_cloudwatch_log_subscription_filter")).toEqual({});
    expect(production.resources("aws_cloudformation_stack")).toEqual({});
  });

  test("go from every group to the function that is named (X-27)", () => {
    const filters = Object.values(given.resources("aws_cloudwatch_log_subscription_filter"));
    expect(filters.map(({ log_group_name }) => log_group_name)).toEqual(
      [...SERVICES].sort().map((service) => `/ecs/algobrain-${service}`),
    );
    for (const { destination_arn } of filters) expect(destination_arn).toBe(FORWARDER);
    const permissions = Object.values(given.resources("aws_lambda_permission"));
    expect(permissions.map(({ source_arn }) => String(source_arn))).toEqual(
      filters.map(({ log_group_name }) => expect.stringContaining(`${log_group_name}:*`)),
    );
    expect(given.resources("aws_cloudformation_stack")).toEqual({});
  });

  test("or to Datadog's own function, of a pinned version, with its key by the ARN of a secret", () => {
    expect(without.resource("aws_cloudformation_stack", "forwarder")).toMatchObject({
      template_url: expect.stringMatching(/\/forwarder\/\d+\.\d+\.\d+\.yaml$/),
      parameters: {
        DdApiKeySecretArn: `\${aws_secretsmanager_secret.secret-datadog-api-key.arn}`,
      },
    });
  });
});
