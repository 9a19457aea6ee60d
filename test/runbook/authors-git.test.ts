/** What the build finds out about authors, from real repositories, as the program then reads it. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRunbookAuthors } from "../../src/runbook/authors-file.js";
import { ROOT } from "../house/source-tree.js";
import { git, makeRepository } from "../support/git-repository.js";

const SCRIPT = pathToFileURL(join(ROOT, "scripts/runbook-authors.mjs")).href;
const CALL = `import { writeRunbookAuthors } from ${JSON.stringify(SCRIPT)};
const [root, dist] = process.argv.slice(1);
writeRunbookAuthors(root, dist);`;

const folder = mkdtempSync(join(tmpdir(), "algobrain-git-"));
const origin = join(folder, "origin");
const ANN = "Ann <ann@example.com>";
const BOB = "Bob <bob@example.com>";

beforeAll(async () => {
  const [fix, look, side] = ["runbooks/fix.ts", "runbooks/look.ts", "runbooks/side.ts"];
  await makeRepository(origin, [
    { author: ANN, at: "2026-01-01T00:00:00Z", files: { [fix]: "1", [look]: "1", [side]: "1" } },
    {
      author: BOB,
      at: "2026-01-02T00:00:00Z",
      message: "better\n\nCo-authored-by: Cleo <cleo@example.com>\nco-authored-by: nobody",
      files: { [fix]: "2", [look]: "1", [side]: "1" },
    },
  ]);
  git(origin, "reset", "--quiet", "--hard");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
/** A checkout of its own, compiled as far as that matters here. */
function checkOut(...options: string[]): string {
  made += 1;
  const path = join(folder, `checkout-${made}`);
  git(folder, "clone", "--quiet", ...options, `file://${origin}`, path);
  git(path, "config", "user.email", "dan@example.com");
  git(path, "config", "user.name", "Dan");
  return path;
}

async function build(root: string, env: NodeJS.ProcessEnv = {}) {
  const dist = join(root, "dist");
  mkdirSync(join(dist, "runbooks"), { recursive: true });
  const hashes: Record<string, string> = {};
  for (const name of ["fix", "look", "side", "mend"]) {
    const compiled = `compiled ${name}`;
    writeFileSync(join(dist, "runbooks", `${name}.js`), compiled);
    hashes[name] = createHash("sha256").update(compiled).digest("hex");
  }
  const { stderr } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", CALL, root, dist],
    { env: { ...process.env, ...env }, timeout: 60_000 },
  );
  const text = readFileSync(join(dist, "runbooks", "authors.json"), "utf8");
  const authors = readRunbookAuthors(text);
  const of = (name: string) => {
    const change = authors.changeOf(name, hashes[name]!);
    return change && { commit: change.commit, emails: change.authors.map(({ email }) => email) };
  };
  return { text, stderr, of };
}

const headOf = (root: string, at = "HEAD") => git(root, "rev-parse", at);

test("the last change of each file has its author, and all who wrote it together", async () => {
  const root = checkOut();
  const { of, stderr, text } = await build(root);
  // Who is named without an address is one whom nobody can be.
  const emails = ["bob@example.com", "cleo@example.com", ""];
  expect(of("fix")).toEqual({ commit: headOf(root), emails });
  expect(of("look")).toEqual({ commit: headOf(root, "HEAD~1"), emails: ["ann@example.com"] });
  expect(stderr).toBe("");
  // Of the same commit every machine says the same.
  expect((await build(checkOut())).text).toBe(text);
});

test("who moves a runbook has changed it, also where a hook speaks of another repository", async () => {
  const root = checkOut();
  renameSync(join(root, "runbooks/look.ts"), join(root, "runbooks/mend.ts"));
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message", "another name");
  const { of } = await build(root, { GIT_DIR: join(folder, "elsewhere") });
  expect(of("mend")).toEqual({ commit: headOf(root), emails: ["dan@example.com"] });
  expect(of("look")).toBeNull();
});

test("who merges has written nothing of it, unless the merge itself changed it", async () => {
  const root = checkOut();
  git(root, "config", "log.follow", "true");
  git(root, "checkout", "--quiet", "-b", "topic", "HEAD~1");
  writeFileSync(join(root, "runbooks/side.ts"), "2");
  git(root, "commit", "--quiet", "--all", "--message", "topic", "--author", ANN);
  const topic = headOf(root);
  git(root, "checkout", "--quiet", "main");
  git(root, "merge", "--quiet", "--no-edit", "topic");
  expect((await build(root)).of("side")).toEqual({ commit: topic, emails: ["ann@example.com"] });
  writeFileSync(join(root, "runbooks/side.ts"), "3");
  git(root, "commit", "--quiet", "--all", "--amend", "--no-edit");
  const amended = (await build(root)).of("side");
  expect(amended).toEqual({ commit: headOf(root), emails: ["dan@example.com"] });
});

test("settings of whoever builds change nothing: signatures are not printed between the words", async () => {
  const root = checkOut();
  const gpg = join(folder, "gpg.sh");
  writeFileSync(gpg, "#!/bin/sh\ncat > /dev/null\necho 'gpg: signed by nobody' >&2\n", {
    mode: 0o755,
  });
  git(root, "config", "gpg.program", gpg);
  git(root, "config", "log.showSignature", "true");
  const signed = git(root, "cat-file", "commit", "HEAD").replace(
    /\n\n/,
    "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n none\n -----END PGP SIGNATURE-----\n\n",
  );
  writeFileSync(join(folder, "signed"), `${signed}\n`);
  const commit = git(root, "hash-object", "-t", "commit", "-w", join(folder, "signed"));
  git(root, "reset", "--quiet", "--hard", commit);
  expect((await build(root)).of("fix")?.commit).toBe(commit);
});

test("what is in no commit has no author, also where the index is told not to look", async () => {
  const root = checkOut();
  git(root, "update-index", "--assume-unchanged", "runbooks/fix.ts");
  writeFileSync(join(root, "runbooks/fix.ts"), "mine");
  writeFileSync(join(root, "runbooks/mend.ts"), "new");
  const { of, stderr } = await build(root);
  expect(of("fix")).toEqual({ commit: null, emails: [] });
  expect(of("mend")).toEqual({ commit: null, emails: [] });
  expect(of("look")?.emails).toEqual(["ann@example.com"]);
  expect(stderr).toContain("runbooks/fix.ts is in no commit");
});

test("where history is cut off nobody has written anything, and the build goes on", async () => {
  const { of, stderr } = await build(checkOut("--depth", "1"));
  expect(of("fix")).toBeNull();
  expect(stderr).toContain("shallow (git fetch --unshallow)");
});

test("without Git the same, and what an earlier build said is gone", async () => {
  const root = checkOut();
  await build(root);
  rmSync(join(root, ".git"), { recursive: true });
  const { text, stderr } = await build(root);
  expect(JSON.parse(text)).toEqual({ runbooks: {} });
  expect(stderr).toContain("not a git repository");
  const gone = await build(root, { PATH: join(root, "nowhere") });
  expect(gone.stderr).toContain("who wrote the runbooks is not known");
});

test("an address that no mail could have, and words that no terminal should see", async () => {
  const path = join(folder, "odd");
  const long = `${"x".repeat(300)}@example.com`;
  await makeRepository(path, [
    {
      author: `Mallory <${long}>`,
      at: "2026-01-01T00:00:00Z",
      message: "x\n\nCo-authored-by: \u001b[2JEve <eve@example.com>",
      files: { "runbooks/fix.ts": "1" },
    },
  ]);
  git(path, "reset", "--quiet", "--hard");
  const { of, text } = await build(path);
  expect(of("fix")?.emails).toEqual(["", "eve@example.com"]);
  expect(text).not.toContain("\\u001b");
});
