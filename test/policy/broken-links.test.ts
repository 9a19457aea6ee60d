/** What nobody names, what lies upon one another, what can never decide: found at its place. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/base/problem.js";
import { checkPolicies } from "../../src/policy/bundle.js";
import { type Facts, NO_FACTS } from "../../src/policy/check/sections.js";
import { SHIPPED, withEdit, withFile } from "./shipped.js";

const SYSTEM = "policies/algobrain";
const ALERTS = `${SYSTEM}/alerts`;

/** Of 2026-11-22, with the shipped runbooks there. */
const BUILT = builtOf();
const FACTS: Facts = { today: "2026-11-22", runbookFiles: BUILT };

function builtOf(): string[] {
  const catalogue = SHIPPED.find(({ path }) => path.endsWith("catalogue.yaml"))!.text;
  return [...catalogue.matchAll(/^([a-z-]+): .*status: built/gm)].map(([, name]) => name!);
}

/** What is wrong → file → old text → new text, `¦` before each place → what is said there. */
const CASES: readonly (readonly [string, string, string, string, readonly string[]])[] = [
  [
    "two people of one name",
    "policies/access.yaml",
    "name: Example Operator",
    "name: ¦Example Viewer",
    ['found the name "Example Viewer" twice, first at policies/access.yaml:9'],
  ],
  [
    "a slip in the form of a subject",
    "policies/access.yaml",
    "subjects: [example-operator]",
    "subjects: [¦gti:ann@example.com]",
    ['unknown form of a subject "gti:ann@example.com" (did you mean "git:ann@example.com"?)'],
  ],
  [
    "an author without an address, and a terminal without a user",
    "policies/access.yaml",
    "subjects: [example-operator]",
    'subjects: [¦"git:ann", ¦"cli: "]',
    [
      'found "git:ann", expected git: and the address of commits',
      'found "cli: ", expected cli: and the user of a terminal',
    ],
  ],
  [
    "one author of two people, in other letters",
    "policies/access.yaml",
    "subjects: [example-operator]",
    "subjects: [git:Ann@example.com, ¦git:ann@Example.com]",
    ['found the subject "git:ann@Example.com" twice, first at policies/access.yaml:19'],
  ],
  [
    "a metric that no rule watches (X-29)",
    `${SYSTEM}/metrics.yaml`,
    "algobrain.workers.alive:",
    "¦algobrain.workers.asleep:\n  unit: count\n  kind: gauge\n  source: runtime\n  help: Idle ones.\nalgobrain.workers.alive:",
    [
      'no rule watches algobrain.workers.asleep (X-29) (name it in a rule, or say why not: unwatched: "…")',
    ],
  ],
  [
    "a reason for a metric that is watched after all",
    `${SYSTEM}/metrics.yaml`,
    "help: Worker processes whose heartbeat is fresh.",
    "unwatched: ¦Nobody cares.\n  help: Worker processes whose heartbeat is fresh.",
    ["found unwatched, but the rule metrics-stale watches algobrain.workers.alive"],
  ],
  [
    "a runbook that answers nothing (X-29)",
    "runbooks/catalogue.yaml",
    "respond-slow-queries: { id: RB-85, danger: R, status: planned, startedBy: person }",
    "¦respond-slow-queries: { id: RB-85, danger: R, status: planned }",
    [
      "no level of a rule and no automation names respond-slow-queries (X-29) (name it where it helps, or write startedBy: person)",
    ],
  ],
  [
    "a runbook that a person starts, and an alert names",
    "runbooks/catalogue.yaml",
    "respond-overload: { id: RB-93, danger: V, status: planned }",
    "respond-overload: { id: RB-93, danger: V, status: planned, startedBy: ¦person }",
    ["found startedBy, but a rule or automation names respond-overload"],
  ],
  [
    "two rules with one line (X-50)",
    `${ALERTS}/host.yaml`,
    "cpu-overload:",
    `disk-full:
  summary: The disk is full.
  signal:
    agg: { metric: algobrain.host.disk_used_ratio, fn: avg, over: 5m, fullWindow: true }
  levels:
    high:
      id: AR-99
      severity: sev1
      op: ">="
      value: ¦0.9
      for: 0s
      notify: [pagerduty]
cpu-overload:`,
    [
      `found 0.9, where AR-14 of disk-usage-high at ${ALERTS}/host.yaml:19 begins too (X-50) (one of them is enough; other severities are levels of one rule)`,
    ],
  ],
  [
    "a rule that goes further and is milder (X-50)",
    `${ALERTS}/host.yaml`,
    "cpu-overload:",
    `disk-full:
  summary: The disk is full.
  signal:
    last: { metric: algobrain.host.disk_used_ratio }
  levels:
    high:
      id: AR-99
      severity: ¦sev2
      op: ">"
      value: 0.95
      for: 0s
      notify: [pagerduty]
cpu-overload:`,
    [
      `found "sev2" from 0.95 on, expected one more severe than "sev2" of AR-14 of disk-usage-high at ${ALERTS}/host.yaml:19 (X-50)`,
    ],
  ],
  [
    "fewer tasks in the alert than in scaling (AR-29)",
    `${ALERTS}/workers.yaml`,
    "value: 12",
    "value: ¦11",
    [`found 11, expected 12, workers.min at ${SYSTEM}/scaling.yaml:20`],
  ],
  [
    "a rule of access behind a broader one",
    "policies/access.yaml",
    "  - danger: V",
    "  - ¦runbook: queue-depth\n    role: admin\n    doors: [cli]\n    approvals: 0\n  - danger: V",
    [
      "this rule never decides: the one at policies/access.yaml:44 comes first and matches all of it (put the narrower rule above the broader one, or take this one out)",
    ],
  ],
  [
    "a class of danger twice",
    "policies/access.yaml",
    "  - danger: D",
    "  - ¦danger: V\n    role: admin\n    doors: [cli]\n    approvals: 0\n  - danger: D",
    [
      "this rule never decides: the one at policies/access.yaml:48 comes first and matches all of it (put the narrower rule above the broader one, or take this one out)",
    ],
  ],
  [
    "a team that must agree and of which nobody is",
    "policies/access.yaml",
    "    approvals: 1",
    "    approvals: 1\n    approvers: { team: ¦database }",
    ['found the team "database", of which nobody is (name it in the teams of a person)'],
  ],
  [
    "a group that is no role",
    "policies/access.yaml",
    "platform-oncall: operator",
    "platform-oncall: ¦operators",
    ['found "operators", expected one of viewer, operator, admin (did you mean "operator"?)'],
  ],
  [
    "three roles of four (HB-slo-05)",
    "policies/routes.yaml",
    "escalation:\n  - { role: on-call, after: 0s }\n  - { role: tech-lead, after: 15m }",
    "escalation:\n  ¦- { role: on-call, after: 0s }",
    ["found 3 roles, expected four, from on-call to the last one (HB-slo-05)"],
  ],
  [
    "a role that nobody has filled in (X-42)",
    "policies/routes.yaml",
    "role: cto",
    'role: ¦""',
    ['found "", expected a role of lower-case letters and dashes, such as tech-lead'],
  ],
  [
    "a role twice",
    "policies/routes.yaml",
    "role: cto",
    "role: ¦on-call",
    ['found the role "on-call" twice, first at policies/routes.yaml:28'],
  ],
  [
    "a role that is called before the one before it",
    "policies/routes.yaml",
    "role: cto, after: 1h",
    "role: cto, after: ¦20m",
    ['found "20m", expected later than "30m" of the role before'],
  ],
  [
    "nobody who is called at once",
    "policies/routes.yaml",
    "after: 0s",
    "after: ¦1m",
    ['found "1m", expected 0s: the first is called at once'],
  ],
  [
    "more time for what is worse (X-26)",
    "policies/routes.yaml",
    "sev2: { respondWithin: 1h }",
    "sev2: { respondWithin: ¦10m }",
    ['found "10m", expected no sooner than sev1, which is worse (X-26)'],
  ],
  [
    "an answer some time",
    "policies/routes.yaml",
    "nextBusinessDay",
    "¦soon",
    ['found "soon", expected a duration such as 15m, or nextBusinessDay'],
  ],
  [
    "a canary that is still out when it has passed",
    `${SYSTEM}/adoption.yaml`,
    "canary: 3s",
    "canary: ¦10m",
    ['found "10m", with which canary (10m) is not shorter than probation (5m)'],
  ],
  [
    "a lifetime in words",
    `${SYSTEM}/cache.yaml`,
    "repo-score: 5m",
    "repo-score: ¦5 minutes",
    ['found "5 minutes", expected a duration such as 90s, 5m or 1h30m (write 5m)'],
  ],
  [
    "an environment that loosens what guards the policies",
    `${SYSTEM}/environments/staging.yaml`,
    "retention:",
    "¦adoption: { newPagesMax: 100 }\nretention:",
    [
      'unknown key "adoption" (known keys: alerts, workers, healing, scaling, retention, schedules, infrastructure, routes, flags, cache, monitoring, workload, silences)',
    ],
  ],
];

const told = (files: Parameters<typeof checkPolicies>[0], facts = FACTS) =>
  checkPolicies(files, facts).map(formatProblem);

describe("a policy set", () => {
  it.each(CASES)("with %s is refused at its place", (_, path, from, to, expected) => {
    const { files, places } = withEdit(path, from, to);
    expect(told(files)).toEqual(expected.map((line, at) => `${places[at]}: ${line}`));
  });

  it("of today is well", () => {
    expect(told(SHIPPED)).toEqual([]);
  });

  it("names runbooks that are built and not there, planned and there, or there without an entry", () => {
    const runbookFiles = BUILT.filter((name) => name !== "queue-depth").concat(
      "clear-cache",
      "clear-cash",
    );
    const lines = told(SHIPPED, { ...FACTS, runbookFiles });
    expect(lines.map((line) => line.replace(/^(\S+?):\d+:\d+: /, "$1 "))).toEqual([
      'runbooks/catalogue.yaml runbooks/clear-cash.ts has no entry here (did you mean "clear-cache"?)',
      "runbooks/catalogue.yaml found built, but there is no runbooks/queue-depth.ts",
      "runbooks/catalogue.yaml found planned, but runbooks/clear-cache.ts is there",
    ]);
  });
});

describe("a flag (X-57)", () => {
  const FLAGS = `${SYSTEM}/flags.yaml`;
  const flag = (expires: string, owner = "tech-lead") =>
    withFile(
      FLAGS,
      `write-scores:\n  value: false\n  owner: ${owner}\n  expires: ${expires}\n  why: Moving.\n`,
    );

  it("is a switch until its last day", () => {
    expect(told(flag("2026-11-22"))).toEqual([]);
    expect(told(flag("2026-11-21"))).toEqual([
      `${FLAGS}:4:12: found "2026-11-21", which is past: today is 2026-11-22 (take the flag out, and make what stays a policy)`,
    ]);
  });

  it("lives at most half a year", () => {
    expect(told(flag("2027-05-21"))).toEqual([]);
    expect(told(flag("2027-05-22"))).toEqual([
      `${FLAGS}:4:12: found "2027-05-22", expected at most 180 days from today: 2027-05-21`,
    ]);
  });

  it("ends on a day that there is, and belongs to somebody who is there", () => {
    expect(told(flag("2027-02-30"))).toEqual([
      `${FLAGS}:4:12: found "2027-02-30", which is no day`,
    ]);
    expect(told(flag("2027-01-01", "example-admn"))).toEqual([
      `${FLAGS}:3:10: unknown owner "example-admn" (did you mean "example-admin"?)`,
    ]);
  });

  it("does not stop a program that starts after its day", () => {
    expect(told(flag("2020-01-01"), NO_FACTS)).toEqual([]);
  });

  it("of one environment must be a flag of all", () => {
    const path = `${SYSTEM}/environments/staging.yaml`;
    const { files } = withEdit(path, "retention:", "flags: { x: { value: true } }\nretention:");
    expect(told(files.filter((file) => file.path !== FLAGS))[0]).toContain(
      'found "x", which the common policies do not have under flags',
    );
  });
});

it("an automation may ask for what people must agree to", () => {
  const { files } = withEdit("policies/access.yaml", "approvals: 0", "approvals: 2");
  expect(checkPolicies(files).map(({ message }) => message)).toEqual([]);
});
