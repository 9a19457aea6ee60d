import fc from "fast-check";
import { expect, test } from "vitest";
import { type AwsPermission, sessionPolicy } from "../../src/runbook/power.js";

const ALLOWED: AwsPermission = {
  actions: ["ecs:UpdateService", "ecs:Describe*"],
  resources: ["arn:aws:ecs:eu-central-1:123456789012:service/algobrain/*"],
};
const policyOf = (...aws: AwsPermission[]) => sessionPolicy({ database: [], aws });

test("what is declared is what the session may, and nothing declared is no session", () => {
  expect(policyOf(ALLOWED)).toEqual({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ALLOWED.actions, Resource: ALLOWED.resources }],
  });
  expect(policyOf()).toBeNull();
  expect(sessionPolicy({ database: ["jobs:read"] })).toBeNull();
});

test.each<[string, Partial<AwsPermission>, RegExp]>([
  ["all actions", { actions: ["*"] }, /found the action "\*"/],
  ["all actions of a service", { actions: ["iam:*"] }, /found the action "iam:\*"/],
  ["no action", { actions: [] }, /names no action/],
  ["all resources", { resources: ["*"] }, /found the resource "\*"/],
  ["every account", { resources: ["arn:aws:ecs:eu-central-1:*:service/x"] }, /found the resource/],
  ["every service", { resources: ["arn:aws:*:eu-central-1:123456789012:x"] }, /found the resource/],
  ["all buckets", { resources: ["arn:aws:s3:::*"] }, /found the resource/],
  ["a star in the middle", { resources: ["arn:aws:s3:::a*b/c"] }, /found the resource/],
  ["no resource", { resources: [] }, /names no resource/],
  ["more than AWS takes", { resources: Array(40).fill(ALLOWED.resources[0]) }, /characters/],
])("%s is refused", (_what, wrong, message) => {
  const make = () => policyOf(ALLOWED, { ...ALLOWED, ...wrong });
  expect(make).toThrow(message);
  expect(make).toThrow(expect.objectContaining({ code: "SESSION_POLICY_INVALID" }));
});

test("all resources, for what knows none and nothing beside it", () => {
  const looks = {
    actions: ["ecs:DescribeTaskDefinition", "logs:GetQueryResults"],
    resources: ["*"],
  };
  expect(policyOf(looks)?.Statement).toMatchObject([{ Resource: ["*"] }]);
  const more = { ...looks, actions: [...looks.actions, "ecs:UpdateService"] };
  expect(() => policyOf(more)).toThrow(/found the resource "\*"/);
});

test("whatever passes names an action and a resource, and is no longer than AWS takes", () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(...ALLOWED.actions, ...ALLOWED.resources, "*"),
  );
  const permission = fc.record({ actions: fc.array(text), resources: fc.array(text) });
  fc.assert(
    fc.property(fc.array(permission, { maxLength: 4 }), (aws) => {
      let made: ReturnType<typeof sessionPolicy>;
      try {
        made = policyOf(...aws);
      } catch {
        // Refused: that is the other right answer.
        return;
      }
      if (made === null) return;
      expect(JSON.stringify(made).length).toBeLessThanOrEqual(2_048);
      for (const { Action, Resource } of made.Statement) {
        for (const action of Action) expect(action).toMatch(/^[^:*]+:[^:*]+\*?$/);
        for (const resource of Resource) expect(resource).toMatch(/^arn:aws[^*]*[^:*]\*?$/);
      }
    }),
  );
});
