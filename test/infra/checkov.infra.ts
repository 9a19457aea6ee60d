/** What checkov (PyPI) finds in the synthesized stacks, against the exceptions of stacks/checkov-skips.ts. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { CHECKOV_SKIPS, type CheckovSkip } from "../../stacks/checkov-skips.js";
import { repositoryPolicy } from "../support/repository-policy.js";
import { synthesized } from "../support/synthesized.js";

const SCRIPTS = join(import.meta.dirname, "..", "..", "scripts", "infra");
const INSTALL_MS = 660_000;

interface Finding {
  readonly check: string;
  readonly rule: string;
  readonly stack: string;
  readonly address: string;
}

interface Judgement {
  readonly failed: readonly Finding[];
  readonly idle: readonly CheckovSkip[];
  readonly broken: number;
  readonly passed: Readonly<Record<string, number>>;
}

type Documents = Readonly<Record<string, JsonObject>>;

const { runCheckov, judgeReport } = (await import(join(SCRIPTS, "checkov.mjs"))) as {
  runCheckov(program: string, documents: Documents): object;
  judgeReport(report: object, documents: Documents, skips: readonly CheckovSkip[]): Judgement;
};

function findCheckov(): string | null {
  const tools = join(SCRIPTS, "python-tools.mjs");
  const said = execFileSync(process.execPath, [tools, "checkov"], {
    encoding: "utf8",
    timeout: INSTALL_MS,
  });
  const { checkov, why } = JSON.parse(said);
  if (checkov === null) console.warn(`checkov: ${why.checkov}`);
  return checkov;
}

const program = findCheckov();
const judge = (documents: Documents, skips = CHECKOV_SKIPS) =>
  judgeReport(runCheckov(program ?? "", documents), documents, skips);

describe.skipIf(program === null)("checkov", () => {
  test("finds nothing in any stack of any environment but what is excepted with a reason, and no exception is idle", async () => {
    const environments = ["staging", "production"];
    const parts = await Promise.all(
      environments.map(async (name) => (await synthesized(await repositoryPolicy(name))).documents),
    );
    const documents = Object.assign({}, ...parts) as Documents;
    const { failed, idle, broken, passed } = judge(documents);
    expect(
      failed.map(({ check, rule, stack, address }) => `${stack} ${address}: ${check} ${rule}`),
    ).toEqual([]);
    expect(idle.map(({ check, address }) => `${check} ${address}`)).toEqual([]);
    // Of a file that it cannot read it says "0 failed": each must have passed something.
    expect(broken).toBe(0);
    expect(Object.keys(passed).length).toBeGreaterThanOrEqual(2 * 3);
    expect(Object.entries(passed).filter(([, count]) => count === 0)).toEqual([]);
  });

  test("is awake: a public bucket is found, and an exception takes out its own rule of its own resource alone", () => {
    const documents = {
      open: {
        resource: {
          aws_s3_bucket: { b: { bucket: "b" } },
          aws_s3_bucket_public_access_block: {
            b: { bucket: "$" + "{aws_s3_bucket.b.id}", block_public_acls: false },
          },
          aws_sns_topic: { b: { name: "b" } },
        },
      },
    };
    const bare = judge(documents, []);
    expect(bare.failed.map(({ check }) => check)).toContain("CKV_AWS_53");
    expect(bare.failed.map(({ check }) => check)).toContain("CKV_AWS_26");
    const skips = [
      {
        check: "CKV_AWS_53",
        address: "aws_s3_bucket_public_access_block.b",
        reason: "of the test",
      },
      // The topic has this name, too, and is of another type.
      { check: "CKV_AWS_26", address: "aws_s3_bucket.b", reason: "of the test" },
    ];
    const judged = judge(documents, skips);
    expect(judged.failed.map(({ check }) => check)).not.toContain("CKV_AWS_53");
    expect(judged.failed.map(({ check }) => check)).toContain("CKV_AWS_26");
    expect(judged.idle).toEqual([skips[1]]);
  });
});
