import { expect, test } from "vitest";
import type { Access, Person } from "../../src/policy/policy.js";
import { type Claim, findPerson, nameOf } from "../../src/runbook/identity.js";

const person = (name: string, more: Partial<Person> = {}): Person => ({
  name,
  role: "operator",
  slack: [],
  github: null,
  subjects: [],
  teams: [],
  ...more,
});
const access: Access = {
  people: [
    person("ann", {
      slack: ["T1/UANN"],
      github: "Ann-Smith",
      subjects: ["ann", "cli:ann", "git:a@b.example"],
    }),
    person("bob", { role: "admin", slack: ["T1/UBOB", "T2/UANN"], subjects: ["oidc:bob"] }),
    person("twin-a", { subjects: ["shared"] }),
    person("twin-b", { subjects: ["shared"] }),
    person("nobody-yet"),
  ],
  groups: {},
  serviceRoles: { pagerduty: "operator", policy: "operator" },
  rules: [],
};

test.each<[string, Claim, string | null]>([
  ["a Slack user is team and user", { door: "slack", team: "T1", user: "UANN" }, "ann"],
  [
    "the same user id in another team is another",
    { door: "slack", team: "T2", user: "UANN" },
    "bob",
  ],
  ["an unknown team is nobody", { door: "slack", team: "T9", user: "UANN" }, null],
  ["a display name is nobody", { door: "slack", team: "T1", user: "ann" }, null],
  ["a slash in the user moves nothing", { door: "slack", team: "T1/UANN", user: "" }, null],
  ["a token is its subject", { door: "api", subject: "ann", role: "admin" }, "ann"],
  [
    "a subject of the issuer keeps its prefix",
    { door: "api", subject: "bob", role: "admin" },
    null,
  ],
  [
    "a token cannot name a terminal's user",
    { door: "api", subject: "cli:ann", role: "admin" },
    null,
  ],
  ["a terminal's user is entered as cli:", { door: "cli", user: "ann" }, "ann"],
  ["a terminal's user who is not entered is nobody", { door: "cli", user: "oidc:bob" }, null],
  ["GitHub compares without case", { door: "github", login: "ann-smith" }, "ann"],
  ["who has no login is not the empty one", { door: "github", login: "" }, null],
  [
    "a token cannot name an author",
    { door: "api", subject: "git:a@b.example", role: "admin" },
    null,
  ],
  ["an address of commits is a person", { door: "git", email: "A@b.example" }, "ann"],
  ["what fits two people fits none", { door: "api", subject: "shared", role: "admin" }, null],
])("%s", (_claim, claim, name) => {
  expect(findPerson(access, claim)?.name ?? null).toBe(name);
});

test("a token's role bounds the person's, and never raises it", () => {
  const as = (subject: string, role: "viewer" | "admin") =>
    findPerson(access, { door: "api", subject, role })?.role;
  expect(as("oidc:bob", "viewer")).toBe("viewer");
  expect(as("ann", "admin")).toBe("operator");
});

test("the audit names the door's own identity", () => {
  expect(nameOf({ door: "slack", team: "T1", user: "U2" })).toBe("slack:T1/U2");
  expect(nameOf({ door: "api", subject: "sub", role: "viewer" })).toBe("api:sub");
  expect(nameOf({ door: "cli", user: "ann" })).toBe("cli:ann");
  expect(nameOf({ door: "github", login: "ann" })).toBe("github:ann");
});
