/** What `bootstrap` has made is taken over by Terraform from the list that it leaves: nothing of it is made again. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STACK_ORDER } from "../../../src/policy/stack-order.js";
import { importFile, planAdoption } from "../../../src/review/infra/adopt.js";
import { estateOf } from "../../../src/review/infra/bootstrap-estate.js";
import { readWanted } from "../../../src/review/infra/bootstrap-plan.js";
import { orderedDocuments } from "../../support/ordered-documents.js";
import { planChanges } from "../../support/plan-changes.js";
import { repositoryPolicy } from "../../support/repository-policy.js";
import {
  type Estate,
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";

const ACCOUNT = "123456789012";
/** Of runbooks and of builds: Terraform makes them, no workflow takes them before. */
const MADE_LATER = /^aws_iam_role(_policy)?\.(executor|push)-(role|power) create$/;

describe.runIf(terraformPlatform !== null)("terraform: after bootstrap", () => {
  let sandbox: TerraformSandbox;
  beforeAll(async () => {
    sandbox = await openTerraformSandbox({});
  });
  afterAll(() => sandbox?.remove());

  test("terraform: the stack of identities takes over all that is listed, and makes the rest", async () => {
    const stacks = await orderedDocuments(await repositoryPolicy("production"));
    const { terraform } = sandbox;
    // It reads what the stack of the database tells.
    const upToIt = stacks.slice(0, STACK_ORDER.indexOf("identity") + 1);
    const places = [];
    for (const { name, document } of upToIt) {
      const made = await sandbox.place(name, document);
      await terraform.plan(made.folder, { out: "plan.bin" });
      await terraform.apply(made.folder, "plan.bin");
      places.push(made);
    }
    const place = places.at(-1)!;
    const { document } = upToIt.at(-1)!;
    await sandbox.forget(place);
    await sandbox.editEstate(({ resources }) => {
      const left = leftByBootstrap(resources);
      for (const key of Object.keys(resources)) delete resources[key];
      Object.assign(resources, left);
    });

    const listed = estateOf(readWanted(document, ACCOUNT, "state"), ACCOUNT);
    const { imports } = planAdoption({ identity: document }, listed);
    await writeFile(join(place.folder, "imports.tf.json"), importFile(imports.identity ?? []));
    await terraform.plan(place.folder, { out: "plan.bin" });
    const lines = planChanges(await terraform.showPlan(place.folder, "plan.bin"));
    expect(lines.filter((line) => line.endsWith(" importing"))).toHaveLength(listed.length);
    expect(lines.filter((line) => / delete|create\+/.test(line))).toEqual([]);
    const kinds = new Set(listed.map(({ type }) => type));
    const made = lines.filter((line) => line.endsWith(" create") && kinds.has(line.split(".")[0]!));
    expect(made.length).toBeGreaterThan(0);
    expect(made.filter((line) => !MADE_LATER.test(line))).toEqual([]);
    await terraform.apply(place.folder, "plan.bin");
    expect(await terraform.plan(place.folder, { out: "again.bin" })).toBe("nothing");
  });
});

/** Without the roles that it does not make, without a tag, and called as AWS calls such things. */
function leftByBootstrap(resources: Estate["resources"]): Estate["resources"] {
  const left = Object.entries(resources).flatMap(([key, one]) => {
    if (!key.startsWith("aws_iam_")) return [[key, one] as const];
    // That a role has no more than this is no thing in AWS.
    return /executor|push|_exclusive/.test(key)
      ? []
      : [[key, { ...one, tags: null, tags_all: {} }] as const];
  });
  const text = JSON.stringify(Object.fromEntries(left));
  const called = text
    .replaceAll(/arn:aws:iam:[a-z0-9-]+:/g, "arn:aws:iam::")
    .replaceAll(/:[a-z-]*provider\/https:\/\//g, ":oidc-provider/");
  return JSON.parse(called);
}
