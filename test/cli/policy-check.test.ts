/** `policy check` on broken folders: every problem at its place, as the person would type the path, and exit 1. */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isPolicyFile } from "../../src/policy/files.js";
import type { SourceFile } from "../../src/policy/source.js";
import { SHIPPED, withEdit, withFile, withoutFile } from "../policy/shipped.js";
import { bin, cli, ROOT } from "./support.js";

let work: string;
beforeAll(async () => {
  work = await realpath(await mkdtemp(join(tmpdir(), "algobrain-policy-")));
});
afterAll(() => rm(work, { recursive: true, force: true }));

/** Writes the files as a folder of this name inside `work`. */
async function folderOf(name: string, files: readonly SourceFile[]): Promise<string> {
  const folder = join(work, name);
  for (const { path, text } of files.filter(({ path }) => path.startsWith("policies/"))) {
    const file = join(folder, path.slice("policies/".length));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return folder;
}

const HEALING = "policies/algobrain/healing.yaml";
const ALERTS = "policies/algobrain/alerts/queues.yaml";
const SCALING = "policies/algobrain/scaling.yaml";
const ROUTES = "policies/routes.yaml";

/** What is wrong → file → old text → new text, `¦` before each place → what is said there. */
const EDITS: readonly (readonly [string, string, string, string, readonly string[]])[] = [
  [
    "a wrong type",
    HEALING,
    "crashMax: 3",
    "crashMax: ¦three",
    ['found "three", expected a whole number'],
  ],
  ["a number too small", HEALING, "crashMax: 3", "crashMax: ¦0", ["found 0, expected at least 1"]],
  [
    "an unknown key",
    HEALING,
    "crashMax: 3",
    "crashMax: 3\n¦crashMin: 1",
    ['unknown key "crashMin"'],
  ],
  [
    "a bad unit",
    HEALING,
    "cap: 5m",
    'cap: ¦"5 minutes"',
    ['found "5 minutes", expected a duration such as 90s, 5m or 1h30m (write 5m)'],
  ],
  [
    "a key twice",
    HEALING,
    "crashMax: 3",
    "crashMax: 3\n¦crashMax: 4",
    ['found the key "crashMax" twice, first on line 16'],
  ],
  ["a tab", HEALING, "  cap: 5m", "¦\tcap: 5m", ["found a tab, expected spaces as indentation"]],
  [
    "an unterminated quote",
    HEALING,
    "cap: 5m",
    'cap: ¦"5m',
    ["found a double quote that is never closed"],
  ],
  [
    "an unterminated bracket",
    HEALING,
    "crash: restart",
    "crash: ¦[restart",
    ['found "[" that is never closed'],
  ],
  [
    "a colon inside a text",
    HEALING,
    "crashMax: 3",
    "crashMax: 3¦: 4",
    [
      'not valid YAML: bad indentation of a mapping entry (look at the indentation; a text that holds ": " or begins with one of @ ` % & * ! | > [ { needs quotes)',
    ],
  ],
  [
    "a hexadecimal number",
    HEALING,
    "crashMax: 3",
    "crashMax: ¦0x3",
    ["found 0x3, expected a plain decimal number (if it is a text, put it in quotes)"],
  ],
  [
    "a tag",
    HEALING,
    "crashMax: 3",
    "crashMax: ¦!!js/function 3",
    ["found the tag !!js/function, expected a plain value"],
  ],
  [
    "an alias",
    HEALING,
    "base: 1s",
    "base: ¦&x 1s",
    ["found an anchor or alias, expected plain values (write the value out where it is meant)"],
  ],
  [
    "a reserved key",
    HEALING,
    "crashMax: 3",
    "crashMax: 3\n¦__proto__: 1",
    ['found the key "__proto__", which is reserved'],
  ],
  [
    "an unknown runbook",
    ALERTS,
    "runbook: respond-queue-backlog",
    "runbook: ¦respond-queue-backlo",
    ['unknown runbook "respond-queue-backlo" (did you mean "respond-queue-backlog"?)'],
  ],
  [
    "an unknown receiver",
    ALERTS,
    "notify: [ops]",
    "notify: [¦opps]",
    ['unknown receiver "opps" (did you mean "ops"?)'],
  ],
  [
    "an unknown metric",
    ALERTS,
    "metric: algobrain.jobs.pending",
    "metric: ¦algobrain.jobs.pendin",
    ['unknown metric "algobrain.jobs.pendin" (did you mean "algobrain.jobs.pending"?)'],
  ],
  [
    "a scaling target where the alert already fires (X-10)",
    SCALING,
    "target: 500",
    "target: ¦1000",
    ["found 1000, expected less than 1000, where AR-06 of queue-depth-high fires (X-10)"],
  ],
  [
    "fewer tasks at most than at least, told from both sides",
    SCALING,
    "min: 2\n",
    "min: ¦11\n",
    ["found 11, expected at most max (10)", "found 11, expected at most desired (2)"],
  ],
  [
    "a receiver of a kind that there is not",
    ROUTES,
    "kind: pagerduty",
    "kind: ¦pagerdutty",
    ['found "pagerdutty"'],
  ],
];

/** Files that are wrong as a whole. */
const TEXTS: readonly (readonly [string, string, string])[] = [
  [
    "five megabytes",
    `# ${"x".repeat(5 * 1_048_576 - 2)}`,
    "1:1: found a file of 5120 KiB, expected at most 256 KiB",
  ],
  ["nothing at all", "", "1:1: found an empty file, expected keys and values"],
  ["a list", "- enabled: true\n", "1:1: found a list, expected keys and values"],
  ["two documents", "enabled: true\n---\nenabled: true\n", "2:1: found a second document"],
  ["UTF-16", "e\0n\0", "1:2: found a NUL character, expected UTF-8 text"],
  [
    "an alias bomb",
    [..."abcdefghi"]
      .map(
        (name, at) =>
          `${name}: &${name} [${Array(9).fill(at === 0 ? "lol" : `*${"abcdefghi"[at - 1]}`)}]`,
      )
      .join("\n"),
    "1:4: found an anchor or alias (and 80 more), expected plain values",
  ],
];

describe("policy check", () => {
  test.each(EDITS)("%s", async (what, path, from, to, messages) => {
    const { files, places } = withEdit(path, from, to);
    const name = what.replaceAll(/\W+/g, "-");
    await folderOf(name, files);
    const { code, out, err } = await cli(["policy", "check", name], { cwd: work });
    expect(code).toBe(1);
    const [place] = places;
    const lines = out.trimEnd().split("\n");
    expect(err).toBe(`${lines.length} ${lines.length === 1 ? "problem" : "problems"} found\n`);
    const here = place!.replace("policies/", `${name}/`);
    for (const message of messages)
      expect(
        lines.filter((line) => line.startsWith(`${here}: ${message}`)),
        out,
      ).toHaveLength(1);
    expect(lines).toHaveLength(messages.length);
  });

  test.each(TEXTS)("a file that is %s", async (what, text, line) => {
    const name = `whole-${what.replaceAll(/\W+/g, "-")}`;
    await folderOf(name, withFile(HEALING, text));
    const { code, out } = await cli(["policy", "check", name], { cwd: work });
    expect(code).toBe(1);
    expect(
      out.split("\n").some((one) => one.startsWith(`${name}/algobrain/healing.yaml:${line}`)),
      out,
    ).toBe(true);
    expect(out.length).toBeLessThan(3_000);
  });

  test("a file that is missing, and one that nobody reads", async () => {
    await folderOf("gone", withoutFile(ROUTES));
    const gone = await cli(["policy", "check", "gone"], { cwd: work });
    expect(gone.code).toBe(1);
    expect(gone.out).toMatch(/^gone\/routes\.yaml:\d+:\d+: is missing/m);
    await folderOf("odd", withFile("policies/algobrain/heeling.yaml", "a: 1\n"));
    const odd = await cli(["policy", "check", "odd"], { cwd: work });
    expect(odd.code).toBe(1);
    expect(odd.out).toContain("odd/algobrain/heeling.yaml:");
    expect(odd.out).toContain('did you mean "odd/algobrain/healing.yaml"?');
  });

  test("all problems of all files at once, and the same as JSON", async () => {
    const broken: Record<string, (text: string) => string> = {
      [HEALING]: (text) =>
        text.replace("crashMax: 3", "crashMax: three").replace("cap: 5m", "cap: 5 min"),
      [ROUTES]: (text) => text.replace("kind: slack", "kind: slak"),
      [SCALING]: (text) => text.replace("max: 10\n", "max: 10\n  maxx: 1\n"),
    };
    const files = SHIPPED.map(({ path, text }) => ({ path, text: broken[path]?.(text) ?? text }));
    await folderOf("many", files);
    const told = await cli(["policy", "check", "many"], { cwd: work });
    expect(told).toMatchObject({ code: 1, err: "4 problems found\n" });
    const lines = told.out.trimEnd().split("\n");
    expect(lines.map((line) => line.split(": ")[0])).toEqual([
      "many/algobrain/healing.yaml:8:8",
      "many/algobrain/healing.yaml:16:11",
      "many/algobrain/scaling.yaml:8:3",
      "many/routes.yaml:7:11",
    ]);
    const json = await cli(["policy", "check", "many", "--json"], { cwd: work });
    expect({ code: json.code, err: json.err }).toEqual({ code: 1, err: "" });
    const { ok, problems } = JSON.parse(json.out);
    expect(ok).toBe(false);
    expect(
      problems.map(({ file, line, column }: { file: string; line: number; column: number }) =>
        [file, line, column].join(":"),
      ),
    ).toEqual(lines.map((line) => line.split(": ")[0]));
  });
});

describe("policy check --format", () => {
  let broken: readonly SourceFile[];
  beforeAll(() => {
    broken = withEdit(HEALING, "crashMax: 3", "crashMax: three").files;
  });
  const line = "algobrain/healing.yaml:16:11: found";

  test("github says it beside the line, and in the log", async () => {
    const name = await folderOf("github", broken);
    const { code, out, err } = await cli(["policy", "check", name, "--format", "github"]);
    expect({ code, err }).toEqual({ code: 1, err: "1 problem found\n" });
    expect(out.trimEnd().split("\n")).toEqual([
      `${name}/${line} "three", expected a whole number`,
      `::error file=${name}/algobrain/healing.yaml,line=16,col=11,title=policy::found "three", expected a whole number`,
    ]);
    const well = await cli(["policy", "check", "--format", "github"]);
    expect(well.out).toMatch(/^\d+ files of policies, no problems; digest [0-9a-f]{12} \(local\)/);
    expect(well.out).not.toContain("::");
  });

  test("json is --json", async () => {
    const name = await folderOf("json", broken);
    const long = await cli(["policy", "check", name, "--format", "json"]);
    expect(long).toEqual(await cli(["policy", "check", name, "--json"]));
    expect(JSON.parse(long.out)).toMatchObject({ ok: false, problems: [{ line: 16, column: 11 }] });
  });

  test.each([
    [["--format", "xml"], '--format: found "xml", expected text, github, json'],
    [["--format", "text", "--json"], "--json is --format json: leave one of them out"],
    [["--now", "2026-02-30"], '--now: found "2026-02-30", expected a day such as 2026-12-31'],
  ])("%j is asked wrongly", async (options, sentence) => {
    const { code, out, err } = await cli(["policy", "check", ...options]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(`policy: ${sentence}\n`);
  });
});

describe("policy check --now", () => {
  test("finds a flag that is past its day (X-57)", async () => {
    const flag = "a-flag:\n  value: true\n  owner: cto\n  expires: 2026-12-31\n  why: Trying.\n";
    const name = await folderOf("flag", withFile("policies/algobrain/flags.yaml", flag));
    const on = (day: string) => cli(["policy", "check", name, "--now", day]);
    expect(await on("2026-12-31")).toMatchObject({ code: 0, err: "" });
    const past = await on("2027-01-01");
    expect(past.code).toBe(1);
    expect(past.out).toContain('/algobrain/flags.yaml:4:12: found "2026-12-31", which is past');
  });
});

describe("paths stand as the person would type them", () => {
  let folder: string;
  const where = "algobrain/healing.yaml";
  const problem = ':16:11: found "three", expected a whole number\n';
  beforeAll(async () => {
    const { files } = withEdit(HEALING, "crashMax: 3", "crashMax: three");
    folder = await folderOf("deep/rules", files);
  });

  test.each([
    ["a name", "rules", "deep", `rules/${where}`],
    ["a longer name", "deep/rules", ".", `deep/rules/${where}`],
    ["a name with a slash at its end", "deep/rules/", ".", `deep/rules/${where}`],
    ["the folder itself", ".", "deep/rules", where],
    ["two folders above", "../..", "deep/rules/algobrain/alerts", "../healing.yaml"],
    ["a way up and down again", "../rules", "deep/rules", where],
    ["a way outside", "../deep/rules", "else", `../deep/rules/${where}`],
  ])("%s", async (_what, typed, cwd, shown) => {
    await mkdir(join(work, "else"), { recursive: true });
    const { out } = await cli(["policy", "check", typed], { cwd: join(work, cwd) });
    expect(out).toBe(`${shown}${problem}`);
  });

  test.each([
    ["from elsewhere", () => ROOT, () => join(folder, where)],
    ["from above", () => work, () => `deep/rules/${where}`],
  ])("an absolute one, %s", async (_what, cwd, shown) => {
    const { out } = await cli(["policy", "check", folder], { cwd: cwd() });
    expect(out).toBe(`${shown()}${problem}`);
  });
});

describe("a folder that cannot be read", () => {
  test.each([
    ["nowhere", 'no policy directory "nowhere" here'],
    ["file", 'no policy directory "file" here'],
    ["/", '"/" holds no policies: found none of access.yaml, automation.yaml, routes.yaml in it'],
    [
      "folder",
      '"folder" holds no policies: found none of access.yaml, automation.yaml, routes.yaml in it',
    ],
  ])("%s", async (name, sentence) => {
    await writeFile(join(work, "file"), "");
    await mkdir(join(work, "folder"), { recursive: true });
    const { code, err, out } = await cli(["policy", "check", name], { cwd: work });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(
      `policy: ${sentence}\nhint: name the folder that holds access.yaml and algobrain/\n`,
    );
  });

  test("a link that leads to itself, as folder and as file", async () => {
    await symlink("loop", join(work, "loop"));
    const loop = await cli(["policy", "check", "loop"], { cwd: work });
    expect(loop).toMatchObject({ code: 1, out: "" });
    expect(loop.err).toMatch(/^policy: .*loop.*\n$|^policy: .*loop.*\nhint: .*\n$/);
    const folder = await folderOf("linked", SHIPPED);
    await symlink("nothing.yaml", join(folder, "algobrain", "alerts", "dangling.yaml"));
    const dangling = await cli(["policy", "check", "linked"], { cwd: work });
    expect(dangling).toMatchObject({ code: 1 });
    expect(`${dangling.out}${dangling.err}`).toContain("linked/algobrain/alerts/dangling.yaml");
  });
});

describe("the real program", () => {
  test("finds the shipped policies good, and says which folder it looked at", async () => {
    const files = SHIPPED.filter(({ path }) => isPolicyFile(path)).length;
    const { code, out } = await bin(["policy", "check"]);
    expect(code).toBe(0);
    expect(out).toMatch(
      new RegExp(`^${files} files of policies, no problems; digest [0-9a-f]{12}`),
    );
    const elsewhere = await bin(["policy", "check"], { cwd: work });
    expect(elsewhere.out).toContain(`files of ${ROOT}/policies, no problems`);
    expect(JSON.parse((await bin(["policy", "check", "--json"])).out)).toEqual({
      ok: true,
      problems: [],
    });
  });

  test("says the same of a broken folder as it does in this process", async () => {
    const { files } = withEdit(HEALING, "crashMax: 3", "crashMax: three\n\tx");
    const folder = await folderOf("real", files);
    const real = await bin(["policy", "check", folder]);
    expect(real).toEqual(await cli(["policy", "check", folder]));
    expect(real.code).toBe(1);
  });
});
