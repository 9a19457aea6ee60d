/** What `bootstrap` makes is what the stacks describe, no more of it stays, and Terraform takes it over. */
import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/base/json.js";
import { planAdoption } from "../../../src/review/infra/adopt.js";
import { estateOf } from "../../../src/review/infra/bootstrap-estate.js";
import {
  describeStep,
  type Found,
  planBootstrap,
  readWanted,
  type Wanted,
} from "../../../src/review/infra/bootstrap-plan.js";
import { elementsOf } from "../../../stacks/schema-check.js";
import { makePolicy } from "../../support/make-policy.js";
import { synthesized } from "../../support/synthesized.js";

const ACCOUNT = "123456789012";
const ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess";

let stack: JsonObject;
let wanted: Wanted;
beforeAll(async () => {
  const { documents } = await synthesized(makePolicy());
  stack = documents["algobrain-production-identity"]!;
  wanted = readWanted(stack, ACCOUNT, "algobrain-prod-terraform-state");
});

/** All of it is there, as it was made. */
function complete(): Found {
  return {
    bucket: { versioned: true, encrypted: true, closed: true, tlsOnly: true },
    provider: wanted.provider?.audiences ?? null,
    policies: wanted.policies,
    roles: Object.fromEntries(wanted.roles.map(({ name, ...role }) => [name, role])),
  };
}

test("what is there has no step", () => {
  expect(planBootstrap(wanted, complete())).toEqual({ steps: [], refusals: [] });
});

describe("what somebody has given to a role by hand", () => {
  test("is taken from it, attached or written into it: no plan would ever show it", () => {
    const found = complete();
    const { "algobrain-plan": plan } = found.roles;
    const more = {
      attached: [...(plan?.attached ?? []), ADMINISTRATOR],
      inline: { ...plan?.inline, mine: '{"Version":"2012-10-17","Statement":[]}' },
    };
    const roles = { ...found.roles, "algobrain-plan": { ...plan!, ...more } };
    const { steps } = planBootstrap(wanted, { ...found, roles });
    expect(steps.map(describeStep)).toEqual([
      "take the policy mine from algobrain-plan: no stack gives it",
      `take ${ADMINISTRATOR} from algobrain-plan: no stack gives it`,
    ]);
  });
});

test("what bootstrap makes has no argument that it does not give: Terraform would make it anew for some of them", () => {
  const keysOf = (type: string, names: RegExp) =>
    elementsOf(stack, "resource")
      .filter((one) => one.type === type && names.test(one.name))
      .flatMap(({ body }) => Object.keys(body));
  // Whether it may go is Terraform's own affair.
  const own = ["//", "lifecycle"];
  expect(new Set(keysOf("aws_iam_policy", /./))).toEqual(new Set(["name", "policy", ...own]));
  expect(new Set(keysOf("aws_iam_role", /^(plan|apply)-role$/))).toEqual(
    new Set(["name", "assume_role_policy", "permissions_boundary", "//"]),
  );
});

test("Terraform takes over all that was made: of the things listed none is made again", () => {
  const estate = estateOf(wanted, ACCOUNT);
  const { imports, missing, unclaimed } = planAdoption({ identity: stack }, estate);
  expect(unclaimed).toEqual([]);
  expect(imports.identity).toHaveLength(estate.length);
  expect(imports.identity).toContainEqual({
    to: "aws_iam_role_policy_attachment.apply-role-look",
    id: `algobrain-apply/arn:aws:iam::${ACCOUNT}:policy/algobrain-look`,
  });
  // Of its kinds only the roles that no workflow takes before there is anything to work on.
  const kinds = new Set(estate.map(({ type }) => type));
  const left = missing.filter(({ address }) => kinds.has(address.split(".")[0]!));
  expect(left.filter(({ address }) => !/(executor|push)-(role|power)$/.test(address))).toEqual([]);
});
