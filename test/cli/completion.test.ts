/** Completion as a person has it: the script is sourced by the shell, and the shell is asked what may come next. */
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runbookCommand } from "../../src/cli/runbook.js";
import { COMMAND_NAMES } from "../../src/cli.js";
import { findProgram } from "../support/redis-server.js";
import { BIN, cli, program } from "./support.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "algobrain-completion-"));
  await symlink(BIN, join(folder, "algobrain"));
  for (const shell of ["bash", "zsh", "fish"])
    await writeFile(join(folder, shell), (await cli(["completion", shell])).out);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A line, typed up to its end, as the words that bash makes of it; and what must be offered. */
const LINES: readonly (readonly [readonly string[], string])[] = [
  [[""], COMMAND_NAMES.join(" ")],
  [["jo"], "jobs"],
  [["jobs", "re"], "retry retry-all"],
  [["jobs", "list", "--st"], "--status"],
  [["jobs", "list", "--status", ""], ""],
  [["serve", "--role", "e"], "executor"],
  [["policy", "check", "--format", ""], "text github json"],
  [["token", "re"], "revoke"],
  [["completion", "f"], "fish"],
  [["runbook", "trust", "--re"], "--reset --reason"],
  [["nothing", ""], ""],
  [["runbook", "run", "pause-q"], "pause-queue"],
  [["runbook", "run", "pause-queue", "in"], "index ingest"],
  [["runbook", "run", "pause-queue", "index", "--d"], "--dry-run --drill"],
  [["runbook", "show", "restore"], "restore-database restore"],
];

/** Only bash takes these apart at "=". */
const TAKEN_APART: typeof LINES = [
  [["runbook", "run", "pause-queue", "--kind", "=", "in"], "index ingest"],
  [["runbook", "run", "relieve-db-pool", "lower", "="], "true false"],
];

type Case = (typeof LINES)[number];

/** What each shell is told first, and what then prints the candidates of a line, one a line. */
const ASK: Readonly<
  Record<string, { readonly first: string; readonly line: (words: readonly string[]) => string }>
> = {
  bash: {
    first: "",
    line: (words) =>
      `COMP_WORDS=(algobrain ${words.map(quote).join(" ")}); COMP_CWORD=${words.length}; _algobrain; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  zsh: {
    first:
      'compdef() { : }; _files() { : }; _describe() { print -rl -- $candidates }; algobrain_asks() { words=(algobrain "$@"); CURRENT=$(($# + 1)); _algobrain }',
    line: (words) => `algobrain_asks ${words.map(quote).join(" ")}`,
  },
  fish: {
    first: "function __fish_complete_path; end",
    line: (words) => `complete -C ${quote(["algobrain", ...words].join(" "))}`,
  },
};
const END = "end-of-candidates";

const quote = (text: string) => `'${text}'`;

/** In the order of the lines; zsh narrows the candidates itself when it shows them, so here it is done for it. */
async function ask(shell: string, cases: readonly Case[]): Promise<string[][]> {
  const { first, line } = ASK[shell]!;
  const lines = cases.flatMap(([words]) => [line(words), `echo ${END}`]);
  const path = join(folder, `${shell}.ask`);
  await writeFile(path, [first, `source ${quote(join(folder, shell))}`, ...lines].join("\n"));
  const quiet = { bash: ["--norc"], zsh: ["-f"], fish: ["--no-config"] }[shell] ?? [];
  const PATH = [folder, process.env.PATH].join(delimiter);
  const { out, err } = await program(findProgram(shell)!, [...quiet, path], {
    ...{ cwd: folder, env: { PATH } },
  });
  expect(err).toBe("");
  const answers = out.split(`${END}\n`).map((text) => text.split("\n").filter((it) => it !== ""));
  return cases.map(([words], at) =>
    (answers[at] ?? ["no answer"])
      .map((it) => it.replace(/[:\t].*/, ""))
      .filter((it) => shell !== "zsh" || it.startsWith(words.at(-1)!)),
  );
}

const inOrder = (words: readonly string[]) => [...words].sort().join(" ");

describe.concurrent("in a shell", () => {
  for (const shell of Object.keys(ASK)) {
    test.skipIf(findProgram(shell) === null)(`${shell} offers what may come next`, async () => {
      const cases = shell === "bash" ? [...LINES, ...TAKEN_APART] : LINES;
      const offered = await ask(shell, cases);
      const found = cases.map(([words], at) => [words.join(" "), inOrder(offered[at]!)]);
      expect(found).toEqual(
        cases.map(([words, wanted]) => [words.join(" "), inOrder(wanted.split(" "))]),
      );
    });
  }
});

test("it is made from the forms: every command and every verb is in it", async () => {
  const { out } = await cli(["completion", "bash"]);
  const verbs = runbookCommand.forms.map(({ usage }) => usage.split(" ")[1]!);
  expect(verbs.length).toBeGreaterThan(8);
  for (const verb of verbs) expect(out).toContain(`'${verb}\t`);
  for (const name of COMMAND_NAMES) expect(out).toContain(`'${name}\t`);
});

test.each([
  [["completion"], "SHELL is missing"],
  [["completion", "bsh"], 'SHELL: found "bsh", expected bash, zsh, fish (did you mean "bash"'],
  [["runbook", "complete", "pause"], 'unexpected "pause"'],
  [["runbook", "complete", "--jsn", "--", "pause"], 'unknown option "--jsn"'],
])("asked wrongly: %j", async (words, sentence) => {
  const { code, out, err } = await cli(words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(sentence);
});

test("what is behind -- is a word of the line, also --help and nothing at all", async () => {
  expect(await cli(["runbook", "complete", "--", "queue-depth", "--help"])).toMatchObject({
    ...{ code: 0, out: "" },
  });
  const { out } = await cli(["runbook", "complete", "--json", "--", "queue-d"]);
  expect(JSON.parse(out)).toEqual({
    candidates: [
      { text: "queue-depth", description: expect.stringContaining("Shows how many jobs") },
    ],
  });
  expect((await cli(["runbook", "complete", "--"])).out).toContain("\nqueue-depth\t");
});
