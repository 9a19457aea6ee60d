/** `synth` by the real program: a number that changes in a policy file changes exactly one leaf of the output (HB-env-35). */
import { cp, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LeafChange, leafChanges } from "../support/leaf-changes.js";
import { type Answer, bin, expectAligned, ROOT } from "./support.js";

let work: string;
beforeAll(async () => {
  work = await realpath(await mkdtemp(join(tmpdir(), "algobrain-synth-")));
  await cp(join(ROOT, "policies"), join(work, "rules"), { recursive: true });
});
afterAll(() => rm(work, { recursive: true, force: true }));

function synth(out: string, ...more: string[]): Promise<Answer> {
  return bin(["synth", "--policies", "rules", "--out", out, ...more], { cwd: work });
}

/** Every stack by name, parsed. */
async function documents(out: string): Promise<Record<string, unknown>> {
  const folder = join(work, out, "stacks");
  const names = await readdir(folder);
  const texts = names.map((name) => readFile(join(folder, name, "cdk.tf.json"), "utf8"));
  return Object.fromEntries(
    (await Promise.all(texts)).map((text, at) => [names[at], JSON.parse(text)]),
  );
}

async function changesFrom(file: string, from: string, to: string): Promise<LeafChange[]> {
  const path = join(work, "rules", file);
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
  try {
    expect(await synth("after")).toMatchObject({ code: 0 });
    return leafChanges(await documents("before"), await documents("after"));
  } finally {
    await writeFile(path, text);
    await rm(join(work, "after"), { recursive: true });
  }
}

describe("synth", () => {
  test("writes the stacks of production, and says where, as a table or as JSON", async () => {
    const told = await synth("before");
    expect(told.code).toBe(0);
    expect(told.err).toBe("synthesizing production\n");
    const table = told.out
      .split("\n")
      .filter((line) => !line.includes("is not a CloudWatch alarm"));
    expectAligned(table.join("\n"));
    const names = Object.keys(await documents("before"));
    expect(names).toEqual(expect.arrayContaining(["algobrain-production-services"]));
    for (const name of names) expect(told.out).toContain(` before/stacks/${name}/cdk.tf.json\n`);
    const { stacks } = JSON.parse((await synth("before", "--json")).out);
    expect(stacks.map(({ name }: { name: string }) => name).sort()).toEqual(names.sort());
  }, 60_000);

  test("--env all writes every environment that has a file, each as if alone", async () => {
    expect(await synth("all", "--env", "all")).toMatchObject({ code: 0 });
    const all = Object.entries(await documents("all"));
    const of = (environment: string) =>
      all.filter(([name]) => name.startsWith(`algobrain-${environment}-`));
    expect(Object.fromEntries(of("production"))).toEqual(await documents("before"));
    expect(of("staging")).toHaveLength(of("production").length);
    expect(all).toHaveLength(2 * of("production").length);
  }, 60_000);

  test.each([
    [
      "algobrain/scaling.yaml",
      "max: 120",
      "max: 100",
      /aws_appautoscaling_target\.workers-scaling-target\.max_capacity$/,
      100,
    ],
    [
      "algobrain/alerts/queues.yaml",
      "value: 1000",
      "value: 1500",
      /aws_cloudwatch_metric_alarm\.alarm-AR-06\.threshold$/,
      1500,
    ],
  ])(
    "%s: %s becomes %s",
    async (file, from, to, at, after) => {
      const changes = await changesFrom(file, from, to);
      expect(changes).toMatchObject([{ at: expect.stringMatching(at), after }]);
    },
    60_000,
  );

  test("does nothing with a broken folder but say where", async () => {
    const path = join(work, "rules/algobrain/healing.yaml");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace("crashMax: 3", "crashMax: three"));
    const { code, out, err } = await synth("broken");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(
      'rules/algobrain/healing.yaml:16:11: found "three", expected a whole number\n',
    );
    await expect(readdir(join(work, "broken"))).rejects.toThrow("ENOENT");
    // A mistake in a file that both share is told once.
    expect(await synth("broken", "--env", "all")).toEqual({ code: 1, out: "", err });
    await expect(readdir(join(work, "broken"))).rejects.toThrow("ENOENT");
    await writeFile(path, text);
  }, 60_000);
});
