import { describe, expect, it } from "vitest";
import { PUBLIC_KINDS } from "../../src/job/kinds.js";
import type { AccessRule } from "../../src/policy/policy.js";
import { isAtLeast } from "../../src/policy/policy.js";
import { ACCESS, accessOf, mayRetry, roleToPost } from "../../src/web/access.js";
import { makeAccessRule, makePolicy } from "../support/make-policy.js";

const rule = (overrides: Partial<AccessRule>): AccessRule =>
  makeAccessRule({
    runbook: "rerun-job",
    danger: null,
    role: "operator",
    doors: ["slack", "api", "cli"],
    approvals: 0,
    ...overrides,
  });
const policyWith = (...rules: AccessRule[]) =>
  makePolicy({
    access: {
      people: [],
      groups: {},
      serviceRoles: { pagerduty: "operator", policy: "operator" },
      rules,
    },
  });

describe("the access table", () => {
  it("refuses a route that it does not know, and says what to do", () => {
    expect(() => accessOf("GET", "/api/v1/secrets")).toThrow(/access table.*src\/web\/access\.ts/);
    expect(() => accessOf("DELETE", "/api/v1/jobs")).toThrow();
  });

  it("answers HEAD as GET", () => {
    expect(accessOf("HEAD", "/health")).toBe(accessOf("GET", "/health"));
  });

  it("opens no write to everyone: each POST needs a role above viewer, a purpose or a signature", () => {
    const writes = Object.entries(ACCESS).filter(([route]) => route.startsWith("POST"));
    expect(writes.length).toBeGreaterThan(0);
    for (const [route, { need }] of writes) {
      expect([route, need]).toEqual([
        route,
        expect.stringMatching(/^(operator|admin|signature|drift)$/),
      ]);
    }
  });

  it("ranks viewer below operator below admin", () => {
    expect(isAtLeast("admin", "operator")).toBe(true);
    expect(isAtLeast("operator", "operator")).toBe(true);
    expect(isAtLeast("viewer", "operator")).toBe(false);
    expect(isAtLeast("operator", "admin")).toBe(false);
  });

  it("lets operators post index, score and identity jobs, and nothing else (EP-02)", () => {
    const open = PUBLIC_KINDS.filter((kind) => roleToPost(kind) === "operator");
    expect([...open].sort()).toEqual(["identity", "index", "score"]);
    expect(roleToPost("made-up-later")).toBe("admin");
  });
});

describe("an operator may retry over the API", () => {
  it.each([
    ["where a rule names rerun-job", [rule({})], true],
    ["where a rule opens its class of runbooks", [rule({ runbook: null, danger: "V" })], true],
    ["not without a rule", [], false],
    ["not where the rule leaves the API out", [rule({ doors: ["slack"] })], false],
    ["not where the rule wants a second person", [rule({ approvals: 1 })], false],
    ["not where only reading is open", [rule({ runbook: null, danger: "R" })], false],
    ["as the first rule says", [rule({ role: "admin" }), rule({})], false],
  ] as const)("%s", (_, rules, expected) => {
    const policy = policyWith(...rules);
    expect(mayRetry({ subject: "olga", role: "operator" }, policy)).toBe(expected);
    expect(mayRetry({ subject: "ada", role: "admin" }, policy)).toBe(true);
  });
});
