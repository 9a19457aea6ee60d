import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Terraform } from "../../src/adapter/terraform.js";
import { fault } from "../../src/base/fault.js";
import { planStacks } from "../../src/cli/infra/plan.js";
import { findStackFolders } from "../../src/cli/infra/stack-folders.js";
import { terraformComplaint, waitsForOthers } from "../../src/cli/infra/terraform-complaint.js";
import { STACK_ORDER } from "../../src/policy/stack-order.js";

const BOX = `╷
│ Error: Invalid value for input variable
│
│   on cdk.tf.json line 12, in variable:
│   12:     "default": "hunter2-hunter2"
│   with aws_db_instance.x,
╵`;
const NOT_YET = `Error: Unable to find remote state

  with data.terraform_remote_state.network,
  on cdk.tf.json line 3, in data.terraform_remote_state.network:`;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "infra-plan-"));
  for (const part of STACK_ORDER)
    await mkdir(join(root, "stacks", `algobrain-staging-${part}`), { recursive: true });
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Answers by the last word of the folder's name. */
function fakeTerraform(
  answers: Readonly<Record<string, "changes" | "nothing" | Error>>,
): Terraform {
  const partOf = (folder: string) => folder.split("-").at(-1) ?? "";
  return {
    ...({} as Terraform),
    init: async () => {},
    plan: async (folder) => {
      const answer = answers[partOf(folder)] ?? "nothing";
      if (answer instanceof Error) throw answer;
      return answer;
    },
    showPlan: async (folder) => ({ of: partOf(folder) }),
  };
}

const failed = (text: string) => fault.data("TERRAFORM_FAILED", text);

async function plan(answers: Parameters<typeof fakeTerraform>[0]) {
  const seen: string[] = [];
  const planned = await planStacks({
    terraform: fakeTerraform(answers),
    folders: await findStackFolders(join(root, "stacks"), "staging", null),
    env: "staging",
    out: join(root, "plans"),
    pluginDir: undefined,
    committedLock: join(root, "none.hcl"),
    onStack: (stack) => seen.push(stack),
  });
  return { planned, seen };
}

describe("infra plan", () => {
  test("goes down the order; a stack that fails hides none, and one that waits is no failure", async () => {
    const { planned, seen } = await plan({
      network: "changes",
      data: failed(NOT_YET),
      identity: failed(BOX),
    });
    expect(seen).toEqual([...STACK_ORDER]);
    const states = Object.fromEntries(planned.map(({ stack, state }) => [stack, state]));
    expect(states).toMatchObject({ network: "changes", data: "waits", identity: "error" });
    expect(states).toMatchObject({ registry: "none", observability: "none" });
    expect(await readdir(join(root, "plans"))).toContain("identity.error.txt");
  });

  test("a report of an earlier look never stands in for this one", async () => {
    await plan({});
    await plan({ data: failed(BOX) });
    const names = await readdir(join(root, "plans"));
    expect(names).toContain("data.error.txt");
    expect(names).not.toContain("data.json");
    await plan({});
    expect(await readdir(join(root, "plans"))).not.toContain("data.error.txt");
  });

  test("takes the committed checksums of the provider along, where there are some", async () => {
    await writeFile(join(root, "none.hcl"), "# checksums\n");
    await plan({});
    const lock = join(root, "stacks", "algobrain-staging-network", ".terraform.lock.hcl");
    expect(await readFile(lock, "utf8")).toBe("# checksums\n");
  });

  test("a folder that is missing, or there twice, is refused: nothing unseen passes for well", async () => {
    await rm(join(root, "stacks", "algobrain-staging-data"), { recursive: true });
    await expect(findStackFolders(join(root, "stacks"), "staging", null)).rejects.toThrow(
      "found 0 folders that end with -staging-data",
    );
    await mkdir(join(root, "stacks", "other-staging-network"));
    await expect(findStackFolders(join(root, "stacks"), "staging", "network")).rejects.toThrow(
      "found 2 folders",
    );
    await expect(findStackFolders(join(root, "nowhere"), "staging", null)).rejects.toThrow(
      "found 0",
    );
  });
});

describe("what Terraform complained of", () => {
  test("is told by its summary and its place, never by the lines that it quotes", () => {
    expect(terraformComplaint(BOX)).toEqual([
      "Error: Invalid value for input variable",
      "on cdk.tf.json line 12, in variable:",
      "with aws_db_instance.x,",
    ]);
  });

  test("is never nothing, and never a flood", () => {
    expect(terraformComplaint("signal: killed")).toHaveLength(1);
    const many = terraformComplaint("Error: x\n".repeat(5_000));
    expect(many).toHaveLength(21);
    expect(many.at(-1)).toBe("and 4980 lines more");
  });

  test("waiting is only what a stack before it has not told yet", () => {
    expect(waitsForOthers(NOT_YET)).toBe(true);
    expect(waitsForOthers("Error: Unsupported attribute\n on x\n with aws_vpc.x")).toBe(false);
    expect(waitsForOthers(BOX)).toBe(false);
  });
});
