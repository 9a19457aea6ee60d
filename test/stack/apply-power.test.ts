/** GIVEN production and staging in one account, WHEN synthesized, THEN an apply reaches its own environment's things and no others. */
import { beforeAll, describe, expect, test } from "vitest";
import type { PolicySet } from "../../src/policy/policy.js";
import { makePolicy } from "../support/make-policy.js";
import { type Synthesized, synthesized } from "../support/synthesized.js";

let production: Synthesized;
let staging: Synthesized;
beforeAll(async () => {
  production = await synthesized(makePolicy());
  staging = await synthesized(stagingPolicy());
});

function stagingPolicy(): PolicySet {
  const policy = makePolicy();
  const infrastructure = { ...policy.infrastructure, cluster: "algobrain-staging" };
  return { ...policy, environment: "staging", infrastructure };
}

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: unknown;
}

function statementsOf(output: Synthesized, type: string, name: string): Statement[] {
  return JSON.parse(String(output.resource(type, name).policy)).Statement;
}

/** A star at the end is the only one in these. */
function matches(pattern: string, arn: string): boolean {
  return pattern.endsWith("*") ? arn.startsWith(pattern.slice(0, -1)) : arn === pattern;
}

describe("an apply", () => {
  test("changes the log groups of its own stacks, and nobody else's days", () => {
    const mayOf = (output: Synthesized) => {
      const patterns = statementsOf(output, "aws_iam_role_policy", "apply-power")
        .filter(({ Action }) => Action.includes("logs:PutRetentionPolicy"))
        .flatMap(({ Resource }) => Resource);
      return (name: string) =>
        patterns.some((one) =>
          matches(one, `arn:aws:logs:us-east-1:123456789012:log-group:${name}`),
        );
    };
    for (const output of [production, staging]) {
      const groups = Object.values(output.resources("aws_cloudwatch_log_group"));
      expect(groups.length).toBeGreaterThan(4);
      for (const { name } of groups) expect(mayOf(output)(String(name)), String(name)).toBe(true);
      expect(mayOf(output)("/ecs/payments-api")).toBe(false);
    }
    expect(mayOf(staging)("/ecs/algobrain-api")).toBe(false);
  });

  test("leaves alone what the stacks of another environment have made, named or not", () => {
    const refused = statementsOf(staging, "aws_iam_policy", "apply-unnamed").filter(
      ({ Effect }) => Effect === "Deny",
    );
    expect(refused).toMatchObject([
      {
        Action: expect.arrayContaining(["ec2:*", "rds:*", "elasticloadbalancing:*", "ecs:*"]),
        Resource: ["*"],
        Condition: {
          StringEquals: {
            "aws:ResourceTag/system": "algobrain",
            "aws:ResourceTag/managed-by": "terraform",
          },
          StringNotEquals: { "aws:ResourceTag/environment": "staging" },
        },
      },
    ]);
    // The tags that it goes by are those that every stack gives.
    for (const document of Object.values(staging.documents))
      expect(JSON.stringify(document.provider)).toContain(
        '"environment":"staging","managed-by":"terraform","system":"algobrain"',
      );
  });

  test("signs the policies that it publishes, by the one key that is called so, and by no other", () => {
    const signing = statementsOf(production, "aws_iam_policy", "apply-unnamed").filter(
      ({ Action }) => Action.includes("kms:Sign"),
    );
    expect(signing).toMatchObject([
      {
        Action: ["kms:GetPublicKey", "kms:Sign"],
        Condition: {
          "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/algobrain-prod-policies" },
        },
      },
    ]);
  });
});
