/** Which resource of ours is which thing that exists. */
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/base/json.js";
import { importFile, planAdoption } from "../../../src/review/infra/adopt.js";

function ref(expression: string): string {
  return `\${${expression}}`;
}

const SERVICES: JsonObject = {
  resource: {
    aws_ecs_cluster: { cluster: { name: "algobrain-prod" } },
    aws_ecs_service: { api: { name: "api", cluster: ref("aws_ecs_cluster.cluster.arn") } },
    aws_appautoscaling_target: {
      api: {
        service_namespace: "ecs",
        resource_id: `service/${ref("aws_ecs_cluster.cluster.name")}/${ref("aws_ecs_service.api.name")}`,
        scalable_dimension: "ecs:service:DesiredCount",
      },
    },
    aws_lb: { balancer: { name: "algobrain-prod" } },
    aws_lb_listener: { https: { load_balancer_arn: ref("aws_lb.balancer.arn"), port: 443 } },
    aws_ecs_task_definition: { api: { family: "algobrain-api" } },
    aws_s3_bucket_policy: { exports: { bucket: ref("aws_s3_bucket.exports.id") } },
    aws_s3_bucket: { exports: { bucket: "algobrain-exports" } },
  },
};

const BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/50dc6c";

function adopted(found: { type: string; id: string; name?: string }[], document = SERVICES) {
  return planAdoption(
    { services: document },
    found.map(({ type, id, name }) => ({ type, id, name: name ?? null })),
  );
}

describe("what exists is found by its key", () => {
  test("a literal name", () => {
    const { imports } = adopted([{ type: "aws_ecs_cluster", id: "algobrain-prod" }]);
    expect(imports).toEqual({
      services: [{ to: "aws_ecs_cluster.cluster", id: "algobrain-prod" }],
    });
  });

  test("through references to other resources of the stack", () => {
    const target = "ecs/service/algobrain-prod/api/ecs:service:DesiredCount";
    const { imports } = adopted([
      { type: "aws_ecs_service", id: "algobrain-prod/api" },
      { type: "aws_appautoscaling_target", id: target },
      { type: "aws_s3_bucket_policy", id: "algobrain-exports" },
    ]);
    expect(imports.services?.map(({ to, id }) => `${to} = ${id}`)).toEqual([
      "aws_ecs_service.api = algobrain-prod/api",
      `aws_appautoscaling_target.api = ${target}`,
      "aws_s3_bucket_policy.exports = algobrain-exports",
    ]);
  });

  test("an id that AWS made up, by the name beside it", () => {
    const { imports } = adopted([
      { type: "aws_lb", id: BALANCER, name: "algobrain-prod" },
      { type: "aws_lb_listener", id: "arn:listener", name: "algobrain-prod:443" },
    ]);
    expect(imports.services).toEqual([
      { to: "aws_lb.balancer", id: BALANCER },
      { to: "aws_lb_listener.https", id: "arn:listener" },
    ]);
  });

  test("another type with the same name is another thing", () => {
    const { imports, unclaimed } = adopted([{ type: "aws_s3_bucket", id: "algobrain-prod" }]);
    expect(imports).toEqual({});
    expect(unclaimed).toHaveLength(1);
  });
});

describe("what does not exist, or cannot be told", () => {
  test("is named with the key that was looked for", () => {
    const { missing } = adopted([]);
    expect(missing).toContainEqual({
      stack: "services",
      address: "aws_ecs_service.api",
      key: "algobrain-prod/api",
    });
  });

  test("a type without a rule is made, never guessed", () => {
    const { missing } = adopted([{ type: "aws_ecs_task_definition", id: "algobrain-api" }]);
    expect(missing).toContainEqual({
      stack: "services",
      address: "aws_ecs_task_definition.api",
      key: null,
    });
  });

  test("references in a circle end", () => {
    const circle: JsonObject = {
      resource: {
        aws_s3_bucket: {
          a: { bucket: ref("aws_s3_bucket.b.bucket") },
          b: { bucket: ref("aws_s3_bucket.a.bucket") },
        },
      },
    };
    expect(adopted([], circle).missing.map(({ key }) => key)).toEqual([null, null]);
  });

  test("a name that is computed by an expression is not known", () => {
    const document: JsonObject = {
      resource: { aws_s3_bucket: { a: { bucket: ref('join("-", ["a", var.b])') } } },
    };
    expect(adopted([], document).missing.map(({ key }) => key)).toEqual([null]);
  });
});

test("an id cannot become an expression of Terraform", () => {
  const expression = ref('file("/etc/passwd")');
  const text = importFile([{ to: "aws_s3_bucket.a", id: `${expression} %{if true}` }]);
  expect(JSON.parse(text)).toEqual({
    import: [{ to: "aws_s3_bucket.a", id: `$${expression} %%{if true}` }],
  });
});
