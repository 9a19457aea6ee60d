/** The guards are owned: the file at the host is what access.yaml says, and it guards files that are there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Person } from "../../src/policy/policy.js";
import { CODEOWNERS_PATH, renderCodeowners } from "../../src/review/codeowners.js";
import { loadDirectory, readPolicyDirectory } from "../../src/runtime/policy-source.js";
import { listFiles, ROOT } from "./source-tree.js";

const person = (name: string, role: Person["role"], github: string | null): Person => ({
  ...{ name, role, github },
  ...{ slack: [], subjects: [], teams: [] },
});

/** Of the two forms of patterns that we write: a path with `*` for one step, and a folder. */
function matches(pattern: string, path: string): boolean {
  const steps = pattern.slice(1).replace(/[.]/g, "\\.").replaceAll("*", "[^/]+");
  return new RegExp(`^${steps}${pattern.endsWith("/") ? "" : "$"}`).test(path);
}

test("the file is what access.yaml says (algobrain codeowners writes it)", async () => {
  const directory = await readPolicyDirectory("policies", { cwd: ROOT, packageRoot: ROOT });
  const checked = loadDirectory(directory, "production");
  if (!checked.ok) throw new Error("the policies are invalid");
  const file = readFileSync(join(ROOT, CODEOWNERS_PATH), "utf8");
  expect(file).toBe(renderCodeowners(checked.value.access.people));
});

test("each pattern guards a file that is there", () => {
  const lines = readFileSync(join(ROOT, CODEOWNERS_PATH), "utf8").split("\n");
  const patterns = lines.filter((line) => line.startsWith("/")).map((line) => line.split(" ")[0]!);
  const files = [
    "policies",
    "runbooks",
    ".github",
    "src/policy",
    "src/review",
    "stacks",
    "infra",
    "scripts",
  ].flatMap(listFiles);
  const idle = patterns.filter((pattern) => !files.some((path) => matches(pattern, path)));
  expect(idle).toEqual([]);
  expect(existsSync(join(ROOT, CODEOWNERS_PATH))).toBe(true);
});

describe("owners", () => {
  test("are the admins with an account, each once", () => {
    const people = [
      person("Ann", "admin", "zoe-x"),
      person("Bob", "operator", "bob"),
      person("Cy", "admin", null),
      person("Di", "admin", "ann"),
      person("Ed", "admin", "ann"),
    ];
    expect(renderCodeowners(people)).toContain("\n/policies/access.yaml @ann @zoe-x\n");
  });

  test.each([
    ["nobody", []],
    ["an operator alone", [person("Bob", "operator", "bob")]],
    ["an admin without an account", [person("Ann", "admin", null)]],
    ["what would begin a new line", [person("Ann", "admin", "ann\n/runbooks/ @mallory")]],
    ["what would name a team", [person("Ann", "admin", "org/team")]],
  ])("from %s are none, and nothing is written", (_, people) => {
    expect(renderCodeowners(people)).toBeNull();
  });
});
