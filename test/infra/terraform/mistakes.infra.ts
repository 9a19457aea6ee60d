/**
 * The ten mistakes that were planted to compare the two layers of proof: what Terraform's own `validate` finds with the
 * provider's schema, and what only our walk over the JSON finds (test/stack/planted-mistakes.test.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/base/json.js";
import { checkStack } from "../../../stacks/synth.js";
import { type PlanScene, planScene, SCENE_NAME } from "../../support/plan-scene.js";
import {
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

type Resource = PlanScene["resource"];

interface Mistake {
  readonly what: string;
  readonly plant: (resource: Resource) => void;
  /** What Terraform says of it; null: nothing, so that only layer 1 stands between it and AWS. */
  readonly terraform: RegExp | null;
}

const service = (resource: Resource): JsonObject =>
  resource.aws_ecs_service["workers-service"] as JsonObject;
const cluster = (resource: Resource): JsonObject => resource.aws_ecs_cluster.cluster;
const logs = (resource: Resource): JsonObject => resource.aws_cloudwatch_log_group["workers-logs"];
const ref = (expression: string): string => `\${${expression}}`;

const MISTAKES: readonly Mistake[] = [
  {
    what: "an unknown attribute",
    plant: (resource) => Object.assign(service(resource), { desired_coun: 3 }),
    terraform: /Extraneous JSON object property|Unsupported argument/,
  },
  {
    what: "a missing attribute",
    plant: (resource) => Reflect.deleteProperty(service(resource), "name"),
    terraform: /Missing required argument/,
  },
  {
    what: "a wrong type",
    plant: (resource) => Object.assign(service(resource), { desired_count: "many" }),
    terraform: /Incorrect attribute value type/,
  },
  {
    what: "a reference to an undeclared resource",
    plant: (resource) =>
      Object.assign(service(resource), { cluster: ref("aws_ecs_cluster.x.arn") }),
    terraform: /Reference to undeclared resource/,
  },
  {
    what: "a reference to an attribute that is not there",
    plant: (resource) =>
      Object.assign(service(resource), { cluster: ref("aws_ecs_cluster.cluster.nam") }),
    terraform: /Unsupported attribute/,
  },
  {
    what: "two of a single block",
    plant: (resource) => {
      const breaker = { enable: true, rollback: true };
      Object.assign(service(resource), { deployment_circuit_breaker: [breaker, breaker] });
    },
    terraform: /Too many deployment_circuit_breaker blocks/,
  },
  {
    what: "an expression that never ends",
    plant: (resource) => Object.assign(cluster(resource), { name: ["$", "{var.x"].join("") }),
    terraform: /Unclosed|Missing|Invalid expression|Unterminated/,
  },
  {
    what: "a circle",
    plant: (resource) =>
      Object.assign(logs(resource), { name: ref("aws_ecs_service.workers-service.name") }) &&
      Object.assign(service(resource), {
        name: ref("aws_cloudwatch_log_group.workers-logs.name"),
      }),
    terraform: /Cycle/,
  },
  {
    what: "a read-only attribute",
    plant: (resource) => Object.assign(cluster(resource), { arn: "arn:aws:ecs:x" }),
    // Terraform itself lets it pass; the provider finds it, the stand-in as the real one.
    terraform: /arn is read-only/,
  },
  {
    what: "a retention that CloudWatch does not know",
    plant: (resource) => Object.assign(logs(resource), { retention_in_days: 31 }),
    terraform: /expected retention_in_days to be one of/,
  },
];

describe.runIf(terraformPlatform !== null)("terraform: planted mistakes", () => {
  let sandbox: TerraformSandbox;
  beforeAll(async () => {
    sandbox = await openTerraformSandbox();
  });
  afterAll(() => sandbox?.remove());

  test("terraform: the sound scene is valid", async () => {
    const { folder } = await sandbox.place(SCENE_NAME, planScene());
    expect(await sandbox.terraform.validate(folder)).toEqual([]);
    expect(checkStack(planScene())).toEqual([]);
  });

  test.each(titled(MISTAKES))("terraform: %s", async (_what, { plant, terraform }) => {
    const scene = planScene();
    plant(scene.resource);
    const { folder } = await sandbox.place(SCENE_NAME, scene);
    const problems = await sandbox.terraform.validate(folder);
    const said = problems.map(({ summary, detail }) => `${summary} ${detail}`);
    if (terraform === null) expect(said).toEqual([]);
    else expect(said).toContainEqual(expect.stringMatching(terraform));
    expect(checkStack(scene)).not.toEqual([]);
  });
});

function titled(mistakes: readonly Mistake[]): [string, Mistake][] {
  return mistakes.map((mistake) => [mistake.what, mistake]);
}
