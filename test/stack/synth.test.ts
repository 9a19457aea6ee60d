/** What synthesis promises besides its content: places, counts, refusal, a clean folder. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { STACK_ORDER } from "../../src/policy/stack-order.js";
import { synthesize } from "../../stacks/synth.js";
import { makePolicy } from "../support/make-policy.js";

let outDir: string;
beforeEach(async () => {
  outDir = await mkdtemp(join(tmpdir(), "algobrain-synth-"));
});
afterEach(async () => {
  await rm(outDir, { recursive: true, force: true });
});

test("each stack is named with its file and the number of its resources", async () => {
  const { stacks } = await synthesize({ policy: makePolicy(), outDir });
  expect(stacks.map(({ name }) => name)).toEqual(
    STACK_ORDER.map((part) => `algobrain-production-${part}`),
  );
  for (const { name, file, resourceCount } of stacks) {
    expect(file).toBe(join(outDir, "stacks", name, "cdk.tf.json"));
    expect(resourceCount).toBeGreaterThan(0);
  }
});

test("the folder is made when it is absent", async () => {
  const deep = join(outDir, "not", "yet");
  const { stacks } = await synthesize({ policy: makePolicy(), outDir: deep });
  expect(stacks).toHaveLength(STACK_ORDER.length);
});

test("numbers that AWS would refuse are refused here, every one of them", async () => {
  const policy = makePolicy();
  const broken = {
    ...policy,
    retention: { ...policy.retention, logsDays: 31 },
    scaling: { ...policy.scaling, api: { ...policy.scaling.api, min: 11 } },
  };
  const refusal = synthesize({ policy: broken, outDir });
  await expect(refusal).rejects.toMatchObject({
    kind: "data",
    code: "STACK_INVALID",
    message: expect.stringMatching(/scales from 11 to 10[\s\S]*api-logs: keeps logs for 31 days/),
  });
});

test("a stack that is no longer made is not left to be applied; other environments are", async () => {
  const gone = join(outDir, "stacks", "algobrain-production-legacy");
  const staging = join(outDir, "stacks", "algobrain-staging-data");
  const longer = join(outDir, "stacks", "algobrain-production-eu-network");
  for (const folder of [gone, staging, longer]) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "cdk.tf.json"), "{}");
    await writeFile(join(folder, ".terraform.lock.hcl"), "");
  }
  await synthesize({ policy: makePolicy(), outDir });
  expect(await readdir(gone)).toEqual([".terraform.lock.hcl"]);
  expect(await readdir(staging)).toContain("cdk.tf.json");
  expect(await readdir(longer)).toContain("cdk.tf.json");
});

test("plain node resolves the library through the package's imports", async () => {
  const script = `
    import { App } from "#cdk";
    import { EcsCluster } from "#aws/ecs-cluster";
    console.log(typeof App, typeof EcsCluster);`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "--eval",
    script,
  ]);
  expect(stdout.trim()).toBe("function function");
});

test("logical ids stay: a changed one destroys what it named", async () => {
  const { stacks } = await synthesize({ policy: makePolicy(), outDir });
  const ids: Record<string, string[]> = {};
  for (const { name, file } of stacks) {
    const { resource } = JSON.parse(await readFile(file, "utf8"));
    ids[name] = Object.keys(resource).flatMap((type) =>
      Object.keys(resource[type]).map((id) => `${type}.${id}`),
    );
  }
  expect(ids).toMatchSnapshot();
});
