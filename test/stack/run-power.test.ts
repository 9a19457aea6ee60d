/** GIVEN production's policy, WHEN synthesized, THEN the executor may do what the verbs of runbooks call, and nothing besides. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listFiles, ROOT } from "../house/source-tree.js";
import { makePolicy } from "../support/make-policy.js";
import { synthesized } from "../support/synthesized.js";

/** What is called by another name than it is allowed by, or asked for by AWS beside the call; each with the reason. */
const NOT_CALLED: Readonly<Record<string, string>> = {
  "ecs:TagResource": "RegisterTaskDefinition with tags asks for it",
  "iam:PassRole": "RegisterTaskDefinition, RunTask and UpdateService ask for it",
  "kms:Decrypt": "Secrets Manager and S3 use the key in the caller's name",
  "kms:GenerateDataKey": "the same",
  "rds:AddTagsToResource": "a snapshot has the tags of its cluster",
  "s3:DeleteObject": "DeleteObjects",
  "s3:ListBucket": "ListObjectsV2",
};

test("every right of the executor is one that a verb of the adapter uses, or has its reason here", async () => {
  const production = await synthesized(makePolicy());
  const { policy } = production.resource("aws_iam_role_policy", "executor-power");
  const { Statement } = JSON.parse(String(policy)) as {
    readonly Statement: readonly { readonly Action: readonly string[] }[];
  };
  const called = calledOperations();
  expect(called.has("UpdateService")).toBe(true);
  const idle = Statement.flatMap(({ Action }) => Action).filter(
    (action) => !called.has(action.split(":")[1]!) && !(action in NOT_CALLED),
  );
  expect(idle).toEqual([]);
});

/** Of other processes than the executor: who builds images, who bootstraps, who signs, who publishes and exports. */
const NO_VERBS = /aws-(foundation|kms|lend|registry|s3|s3-anchors|s3-export|state-bucket)\.ts$/;

/** `UpdateService` of `new UpdateServiceCommand(…)`, and of what is asked in the Query protocol. */
function calledOperations(): Set<string> {
  const files = listFiles("src/adapter").filter(
    (path) => /\/aws[a-z0-9-]*\.ts$/.test(path) && !NO_VERBS.test(path),
  );
  const text = files.map((path) => readFileSync(join(ROOT, path), "utf8")).join("\n");
  return new Set([
    ...[...text.matchAll(/new (?:\w+\.)?(\w+)Command\(/g)].map(([, name]) => name!),
    ...[...text.matchAll(/sendQuery\(ground, "ec2", "(\w+)"/g)].map(([, name]) => name!),
  ]);
}
