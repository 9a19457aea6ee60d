// Writes dist/runbooks/authors.json: who wrote the last change of each runbook, from Git. Nobody agrees alone to an
// automatic run of what he wrote (docs/decisions/0042), and a running program has no Git to ask.
// What cannot be known is left out and said; it never fails the build.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DEADLINE_MS = 30_000;
const OUTPUT_MAX_BYTES = 1024 * 1024;
/** RFC 5321 4.5.3.1 bounds an address at 254 bytes; a longer one is nobody's. */
const TEXT_MAX = 254;
const CO_AUTHORS_MAX = 100;
const FORMAT = [
  "%H",
  "%an",
  "%ae",
  "%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x1e)",
].join("%x00");

/** Variables by which a Git hook points at another repository, and settings of the user that change the answer. */
function environment() {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  return { ...Object.fromEntries(own), GIT_NO_REPLACE_OBJECTS: "1", GIT_OPTIONAL_LOCKS: "0" };
}

function git(root, ...args) {
  // With --follow, what a merge itself changed is passed over.
  const settings = ["-c", "log.follow=false", "-c", "log.showSignature=false"];
  const { status, stdout, stderr, error } = spawnSync("git", [...settings, ...args], {
    cwd: root,
    encoding: "utf8",
    env: environment(),
    timeout: DEADLINE_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
  });
  if (error) throw new Error(`git ${args[0]}: ${error.message}`);
  if (status !== 0) throw new Error(stderr.split("\n")[0] || `git ${args[0]} ended with ${status}`);
  return stdout;
}

/** Every source that was compiled, with the digest by which the program knows the compiled file. */
function compiledRunbooks(root, dist) {
  return readdirSync(join(root, "runbooks"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ name: file.slice(0, -3), path: `runbooks/${file}` }))
    .map((one) => ({ ...one, compiled: join(dist, "runbooks", `${one.name}.js`) }))
    .filter(({ compiled }) => existsSync(compiled))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, path, compiled }) => ({ name, path, contentHash: sha256(compiled) }));
}

function sha256(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Names of Git's objects: of the files as they lie here, and of the newest commit. The index may say anything. */
function findUncommitted(root, runbooks) {
  const paths = runbooks.map(({ path }) => path);
  const lying = git(root, "hash-object", "--", ...paths)
    .trim()
    .split("\n");
  const committed = new Map(
    git(root, "ls-tree", "-z", "HEAD", "--", ...paths)
      .split("\0")
      .filter((line) => line !== "")
      .map((line) => [line.slice(line.indexOf("\t") + 1), line.split(/[ \t]/)[2]]),
  );
  return new Set(paths.filter((path, i) => committed.get(path) !== lying[i]));
}

/** The newest commit that changed what lies at this path. Moving a file there is a change, too. */
function readChange(root, path) {
  const line = git(root, "log", "-1", "--encoding=UTF-8", `--format=${FORMAT}`, "HEAD", "--", path);
  const [commit, name, email, trailers = ""] = line.replace(/\n$/, "").split("\0");
  if (!commit) return null;
  const coAuthors = trailers.split("\x1e").filter((trailer) => trailer.trim() !== "");
  const authors = [{ name, email }, ...coAuthors.slice(0, CO_AUTHORS_MAX).map(readTrailer)];
  return { commit, authors: authors.map(bounded) };
}

/** `Name <address>`; without an address it is an author whom nobody can be. */
function readTrailer(trailer) {
  const [, name, email] = /^(.*?)<([^<>]*)>\s*$/s.exec(trailer) ?? [null, trailer, ""];
  return { name, email };
}

function bounded({ name, email }) {
  const clean = (text) => text.replace(/\p{Cc}/gu, "").trim();
  const address = clean(email);
  return {
    name: clean(name).slice(0, TEXT_MAX),
    email: address.length > TEXT_MAX ? "" : address,
  };
}

/** `{ runbooks, notes }`: entries by name, and for people what is not known and why. */
export function findRunbookAuthors(root, dist) {
  try {
    // Where history is cut off, its oldest commit seems to have written everything.
    if (git(root, "rev-parse", "--is-shallow-repository").trim() === "true")
      return unknown("this clone is shallow (git fetch --unshallow)");
    const runbooks = compiledRunbooks(root, dist);
    return runbooks.length === 0 ? { runbooks: {}, notes: [] } : lookUp(root, runbooks);
  } catch (thrown) {
    return unknown(thrown.message);
  }
}

function unknown(why) {
  return { runbooks: {}, notes: [`who wrote the runbooks is not known: ${why}`] };
}

function lookUp(root, runbooks) {
  const uncommitted = findUncommitted(root, runbooks);
  const entries = {};
  for (const { name, path, contentHash } of runbooks) {
    const change = uncommitted.has(path) ? { commit: null, authors: [] } : readChange(root, path);
    if (change) entries[name] = { contentHash, ...change };
  }
  const notes = [...uncommitted].map((path) => `${path} is in no commit: nobody has written it`);
  return { runbooks: entries, notes };
}

/** The same as a file: written whole or not at all, because programs may start meanwhile. */
export function writeRunbookAuthors(root, dist) {
  const { runbooks, notes } = findRunbookAuthors(root, dist);
  const path = join(dist, "runbooks", "authors.json");
  const part = `${path}.${process.pid}`;
  writeFileSync(part, `${JSON.stringify({ runbooks }, null, 2)}\n`);
  renameSync(part, path);
  for (const note of notes) process.stderr.write(`note: ${note}\n`);
}
