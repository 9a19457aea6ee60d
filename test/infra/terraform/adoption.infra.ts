/** An estate that was made by hand is taken over by Terraform: nothing of it is made again, nothing destroyed. */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runAdopt } from "../../../src/cli/infra/adopt.js";
import { STACK_ORDER } from "../../../src/policy/stack-order.js";
import type { FoundResource } from "../../../src/review/infra/adopt.js";
import { ROOT } from "../../house/source-tree.js";
import { leaveByHand } from "../../support/hand-built-estate.js";
import { orderedDocuments } from "../../support/ordered-documents.js";
import { planChanges } from "../../support/plan-changes.js";
import { repositoryPolicy } from "../../support/repository-policy.js";
import {
  openTerraformSandbox,
  type StackFolder,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

const VARIABLES = {
  image_tag: "0123456789abcdef0123456789abcdef01234567",
  alarm_endpoint: "https://events.example.test/integration",
};
const IMPORTING = / importing$/;

describe.runIf(terraformPlatform !== null)("terraform: adoption", () => {
  let sandbox: TerraformSandbox;
  let root: string;
  let found: FoundResource[];
  let told: string[];
  const folders = new Map<string, StackFolder>();
  beforeAll(async () => {
    sandbox = await openTerraformSandbox(VARIABLES);
    const stacks = await orderedDocuments(await repositoryPolicy("production"));
    for (const { part, name, document } of stacks) {
      const place = await sandbox.place(name, document);
      folders.set(part, place);
      root = dirname(place.folder);
      await sandbox.terraform.plan(place.folder, { out: "plan.bin" });
      await sandbox.terraform.apply(place.folder, "plan.bin");
    }
    // Whoever built it by hand has no state.
    for (const place of folders.values()) await sandbox.forget(place);
    await sandbox.editEstate((estate) => {
      found = leaveByHand(estate);
    });
    await writeFile(join(root, "estate-list.json"), JSON.stringify({ resources: found }));
    told = await adopt();
  });
  afterAll(() => sandbox?.remove());

  test("terraform: every thing that exists is claimed by a stack", () => {
    expect(found.length).toBeGreaterThan(35);
    expect(told.filter((line) => line.includes("stays outside Terraform"))).toEqual([]);
  });

  test.each(STACK_ORDER)(
    "terraform: %s: 0 to create and 0 to destroy of what exists",
    async (part) => {
      const { folder } = folders.get(part)!;
      await sandbox.terraform.plan(folder, { out: "plan.bin" });
      const lines = planChanges(await sandbox.terraform.showPlan(folder, "plan.bin"));
      expect(lines.filter((line) => / delete/.test(line) || /create\+/.test(line))).toEqual([]);
      const taken = lines.filter((line) => IMPORTING.test(line));
      expect(taken).toHaveLength((await importsOf(folder)).length);
      expect(taken.filter((line) => !/ (no-op|update [\w,]+) importing$/.test(line))).toEqual([]);
      await sandbox.terraform.apply(folder, "plan.bin");
      expect(await sandbox.terraform.plan(folder, { out: "again.bin" })).toBe("nothing");
    },
  );

  test("terraform: adopting a second time changes nothing", async () => {
    const { folder } = folders.get("services")!;
    const before = await importsOf(folder);
    await adopt();
    expect(await importsOf(folder)).toEqual(before);
    expect(await sandbox.terraform.plan(folder, { out: "plan.bin" })).toBe("nothing");
  });

  async function adopt(): Promise<string[]> {
    const lines: string[] = [];
    const keep = (line: string) => void lines.push(line);
    const args = ["--env", "production", "--estate", "estate-list.json", "--dir", "."];
    const io = { out: keep, err: keep, progress: keep, env: {}, packageRoot: ROOT, cwd: root };
    await runAdopt(args, { ...io, actor: "cli:test", terminal: null });
    return lines;
  }
});

async function importsOf(folder: string): Promise<unknown[]> {
  const file = join(folder, "imports.tf.json");
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return '{"import":[]}';
    throw error;
  });
  return JSON.parse(text).import;
}
