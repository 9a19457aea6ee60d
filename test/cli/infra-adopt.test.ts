/** `infra adopt` on folders as `synth` writes them, and on lists as people write them. */
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAdopt } from "../../src/cli/infra/adopt.js";
import { STACK_ORDER } from "../../src/policy/stack-order.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "algobrain-adopt-"));
  for (const part of STACK_ORDER) {
    await mkdir(folderOf(part), { recursive: true });
    const resource = part === "data" ? { aws_s3_bucket: { exports: { bucket: "exports" } } } : {};
    await writeFile(join(folderOf(part), "cdk.tf.json"), JSON.stringify({ resource }));
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

function folderOf(part: string): string {
  return join(root, "cdktf.out", "stacks", `algobrain-staging-${part}`);
}

async function adopt(estate: unknown, ...flags: string[]): Promise<string[]> {
  const lines: string[] = [];
  const keep = (line: string) => void lines.push(line);
  await writeFile(
    join(root, "estate.json"),
    typeof estate === "string" ? estate : JSON.stringify(estate),
  );
  await runAdopt(["--env", "staging", "--estate", "estate.json", ...flags], {
    ...{ out: keep, err: keep, progress: keep, env: {}, packageRoot: root, cwd: root },
    ...{ actor: "cli:test", terminal: null },
  });
  return lines;
}

test("writes the blocks beside the stack, and says what stays outside", async () => {
  const lines = await adopt({
    resources: [
      { type: "aws_s3_bucket", id: "exports" },
      { type: "aws_s3_bucket", id: "holiday-photos" },
    ],
  });
  const written = await readFile(join(folderOf("data"), "imports.tf.json"), "utf8");
  expect(JSON.parse(written)).toEqual({
    import: [{ to: "aws_s3_bucket.exports", id: "exports" }],
  });
  expect(lines).toContain(
    "not in any stack, stays outside Terraform: aws_s3_bucket holiday-photos",
  );
  expect(lines).toContainEqual(expect.stringMatching(/^data +1 +0 +cdktf\.out/));
});

test("tells by what name a thing must be listed to be found", async () => {
  expect(await adopt({ resources: [] }, "--missing")).toContain(
    'to be made: data aws_s3_bucket.exports: looked for aws_s3_bucket named "exports"',
  );
});

test("a block of an earlier list does not stay", async () => {
  await adopt({ resources: [{ type: "aws_s3_bucket", id: "exports" }] });
  await adopt({ resources: [] });
  await expect(access(join(folderOf("data"), "imports.tf.json"))).rejects.toThrow(/ENOENT/);
});

test.each([
  ["no JSON", "{", /estate\.json: no JSON/],
  ["no list", { resources: {} }, /found no list of resources, expected \{"resources"/],
  ["no id", { resources: [{ type: "aws_lb" }] }, /resources\.0: expected/],
  ["an empty id", { resources: [{ type: "aws_lb", id: "" }] }, /resources\.0: expected/],
  ["a number for a name", { resources: [{ type: "a", id: "b", name: 3 }] }, /resources\.0/],
  [
    "one name for two things",
    {
      resources: [
        { type: "aws_vpc", id: "vpc-1", name: "prod" },
        { type: "aws_vpc", id: "vpc-2", name: "prod" },
      ],
    },
    /vpc-1 and vpc-2 are both aws_vpc "prod": list the one that is ours/,
  ],
  ["null", { resources: [null] }, /resources\.0/],
])("%s is refused, and nothing is written", async (_what, estate, message) => {
  await expect(adopt(estate)).rejects.toThrow(message);
  await expect(access(join(folderOf("data"), "imports.tf.json"))).rejects.toThrow(/ENOENT/);
});

test("a missing list is refused with its path", async () => {
  const io = { out: () => {}, err: () => {}, progress: () => {}, env: {}, packageRoot: root };
  const call = runAdopt(["--env", "staging", "--estate", "none.json"], {
    ...{ ...io, cwd: root, actor: "cli:test", terminal: null },
  });
  await expect(call).rejects.toMatchObject({ code: "ESTATE_UNREADABLE" });
});
