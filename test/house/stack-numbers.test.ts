/** Every number of the estate comes from policies/ (issue: infrastructure from policy). */
import { describe, expect, test } from "vitest";
import { formatFindings, sourceFile, sourceFiles } from "./source-tree.js";
import { ALLOWANCES, findLooseNumbers, JUDGES, SOURCES, staleAllowances } from "./stack-numbers.js";

const files = sourceFiles();

describe("numbers in stacks/", () => {
  test("come from the policy, or have a reason that is written down", () => {
    expect(formatFindings(files.flatMap(findLooseNumbers))).toBe("");
  });

  test("have no reason without a number, and no two for one", () => {
    expect(staleAllowances(files)).toEqual([]);
    const rows = ALLOWANCES.map(({ file, code }) => `${file}: ${code}`);
    expect(new Set(rows).size).toBe(rows.length);
  });

  test("are looked for wherever the stacks draw words and numbers from", () => {
    const drawn = files
      .filter(({ path }) => path.startsWith("stacks/") && !JUDGES.includes(path))
      .flatMap(({ imports }) => imports)
      .filter(({ specifier, typeOnly }) => !typeOnly && /alert\/outlet|rolling/.test(specifier))
      .map(({ specifier }) => specifier.replace("../", "").replace(".js", ".ts"));
    expect([...new Set(drawn)].sort()).toEqual([...SOURCES].sort());
  });

  test("of those files that only judge reach nothing that is made", () => {
    const judges = files.filter(({ path }) => JUDGES.includes(path));
    expect(judges).toHaveLength(JUDGES.length);
    const makers = files.filter(({ path }) => path.startsWith("stacks/") && !JUDGES.includes(path));
    for (const { path, imports } of makers)
      expect(
        imports.filter(
          ({ specifier, typeOnly }) =>
            !typeOnly && JUDGES.includes(specifier.replace("./", "stacks/").replace(".js", ".ts")),
        ),
        path,
      ).toEqual([]);
    for (const { path, imports } of judges)
      expect(
        imports.filter(({ specifier }) => specifier.startsWith("#aws/")),
        path,
      ).toEqual([]);
  });
});

describe("a number that nobody can turn is found", () => {
  const found = (name: string, text: string) =>
    findLooseNumbers(sourceFile(`stacks/${name}.ts`, text)).map(({ rule }) => rule.split(" ")[0]);

  test.each([
    ["registry-stack", "const KEPT_IMAGES = 1_000;", ["1_000"]],
    ["registry-stack", "rulePriority: 3,", ["3"]],
    ["balancer", "interval: 15, timeout: 5,", ["15", "5"]],
    ["balancer", "const HTTPS_PORT = 8443;", ["8443"]],
    ["balancer", "const DRAIN_S = 443;", ["443"]],
    ["database-task", 'const SIZE = { cpu: "256", memory: `512` };', ["256", "512"]],
    ["distribution", "maxTtl: 365 * DAY_S,", ["365"]],
    ["service", "minimumPercent: min > 1 ? 50 : 0,", ["1", "50", "0"]],
    ["database", "instances: 1,", ["1"]],
    ["new-stack", "const SHARE = 0.5; const BIG = 1e9; const MASK = 0xff;", ["0.5", "1e9", "0xff"]],
    ["new-stack", "const text = `keeps $" + "{7 * days} days`;", ["7"]],
    ["new-stack", 'scheduleExpression: "rate(5 minutes)",', ["5"]],
    ["new-stack", 'every: "90s", keep: `$' + "{name} for 7 days`,", ["90s", "7"]],
    ["new-stack", "const COLD = -40; const BIG = 1e3; const HEX = 0x1f;", ["40", "1e3", "0x1f"]],
    ["part/new-stack", "const DAYS = 7;", ["7"]],
  ])("in %s: %s", (name, text, numbers) => {
    expect(found(name, text)).toEqual(numbers);
  });

  test.each([
    ["service", "const { graceS } = policy.infrastructure.balancer; // once 60"],
    ["service", "if (statements.length > 0) grant(parts[0], nats[1] ?? rows[index]![2]);"],
    ["secret", "secrets.sort((a, b) => (a.variable < b.variable ? -1 : 1));"],
    ["image-tag", 'const rule = "40 hexadecimal digits"; const region = "us-east-1";'],
    ["oidc", "const form = /^[0-9]{12}$/; const sha256 = digest2(s3);"],
    ["name-limits", "max: 32,"],
  ])("but not in %s: %s", (name, text) => {
    expect(found(name, text)).toEqual([]);
  });
});
