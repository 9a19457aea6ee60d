/**
 * .github/CODEOWNERS, made from access.yaml: whoever guards the guards is an admin of ours with an account at the
 * repository's host. Groups of an identity provider are no teams of that host, so people are named.
 */
import type { Person } from "../policy/policy.js";

export const CODEOWNERS_PATH = ".github/CODEOWNERS";

/** As GitHub gives accounts: up to 39 of a-z, 0-9 and single hyphens inside. */
const LOGIN = /^[a-z\d](?:[a-z\d]|-(?=[a-z\d])){0,38}$/i;

interface Guarded {
  readonly why: string;
  readonly patterns: readonly string[];
}

/** Nothing else is owned: a threshold that annoys at night is anybody's to correct, with a review. */
const GUARDED: readonly Guarded[] = [
  {
    why: "Who may do what, and what starts by itself.",
    patterns: ["/policies/access.yaml", "/policies/automation.yaml", "/runbooks/"],
  },
  {
    why: "What may be adopted without a person, and what deletes data; an environment may change it too.",
    patterns: [
      "/policies/*/adoption.yaml",
      "/policies/*/retention.yaml",
      "/policies/*/environments/",
    ],
  },
  {
    why: "What keeps people from being told, and what a plan may do: budgets, exceptions, keys that are believed.",
    patterns: [
      "/policies/*/silences.yaml",
      "/policies/*/monitoring.yaml",
      "/policies/*/exceptions.yaml",
      "/policies/*/infrastructure.yaml",
    ],
  },
  {
    why: "What stands in the cloud: who may do what there, what runs, and how it gets there.",
    patterns: ["/stacks/", "/infra/", "/scripts/"],
  },
  {
    why: "What checks all of this.",
    patterns: ["/.github/", "/src/policy/check/", "/src/review/"],
  },
];

/**
 * Null when no admin has an account: an owner that does not exist guards nothing, and a line without one
 * takes the guard away.
 */
export function renderCodeowners(people: readonly Person[]): string | null {
  const owners = people
    .filter(({ role }) => role === "admin")
    .flatMap(({ github }) => (github !== null && LOGIN.test(github) ? [`@${github}`] : []));
  if (owners.length === 0) return null;
  const names = [...new Set(owners)].sort().join(" ");
  const blocks = GUARDED.map(({ why, patterns }) =>
    [`# ${why}`, ...patterns.map((pattern) => `${pattern} ${names}`)].join("\n"),
  );
  return `${[HEAD, ...blocks].join("\n\n")}\n`;
}

const HEAD = [
  "# Written by `algobrain codeowners` from policies/access.yaml: change that, then run it again.",
  "# The last pattern that matches a path decides.",
].join("\n");
