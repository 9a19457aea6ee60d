/**
 * The Git port over the program git: history, heads and tags of repositories on this machine. Works on
 * checkouts, worktrees and bare repositories, and reads only Git's own objects, never the files of a checkout.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { MINUTE_MS } from "../base/duration.js";
import { errorMessage, fault } from "../base/fault.js";
import type { CommitRecord, Git, GitRepository, RepoPlace } from "../job/port.js";
import type { Shell } from "../runbook/port.js";
import { findGitDir, type GitCall, runGit, streamGit } from "./git-command.js";

/** One short command. */
const COMMAND_TIMEOUT_MS = 30_000;
/** The walk over a whole history. */
const WALK_TIMEOUT_MS = 15 * MINUTE_MS;

/** One commit a line; what an author may write freely comes last, and NUL can be in none of it. */
const COMMIT_FORMAT = [
  "%H",
  "%at",
  "%P",
  "%aN",
  "%aE",
  "%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x1e)",
].join("%x00");
/** More than this in one commit is noise, not people. */
const CO_AUTHORS_MAX = 100;
/** Git reads the whole of it at once. */
const MAILMAP_MAX_BYTES = 1024 * 1024;
/** Enough for any release history; tags by the hundred thousand exist, too. */
const TAGS_MAX = 1_000;

export function createGit(shell: Shell): Git {
  const open = async ({ path }: Pick<RepoPlace, "path">, signal: AbortSignal): Promise<GitCall> => {
    const gitDir = await findGitDir(path);
    if (gitDir === null)
      throw fault.data("GIT_REPOSITORY_MISSING", `there is no Git repository at ${path}`, {
        hint: "index the folder again: what is gone is then marked as archived",
      });
    return { shell, gitDir, signal, timeoutMs: COMMAND_TIMEOUT_MS };
  };
  return {
    listRepositories: (path, signal) => listRepositories(path, (at) => open({ path: at }, signal)),
    head: async (at, signal) => readHead(await open(at, signal)),
    async *commits(at, range, signal) {
      yield* readCommits({ ...(await open(at, signal)), timeoutMs: WALK_TIMEOUT_MS }, range);
    },
    tags: async (at, signal) => readTags(await open(at, signal)),
    isAncestor: async (at, ancestor, head, signal) =>
      isAncestor(await open(at, signal), commitId(ancestor), commitId(head)),
    commitAt: async (at, head, until, signal) =>
      commitAt(await open(at, signal), commitId(head), until),
    mailmap: async (at, head, signal) => findMailmap(await open(at, signal), commitId(head)),
  };
}

async function listRepositories(
  path: string,
  open: (path: string) => Promise<GitCall>,
): Promise<GitRepository[]> {
  const root = await resolveFolder(path);
  const found: GitRepository[] = [];
  for (const place of [root, ...(await childFolders(root))]) {
    if ((await findGitDir(place)) === null) continue;
    found.push({
      path: place,
      root,
      name: basename(place).replace(/(?<=.)\.git$/, ""),
      remote: await readRemote(await open(place)),
    });
  }
  return found;
}

async function resolveFolder(path: string): Promise<string> {
  const refuse = (why: string) =>
    fault.data("FOLDER_UNREADABLE", `cannot index ${path}: ${why}`, {
      hint: "give the absolute path of a Git repository, or of a folder of repositories",
    });
  const root = await realpath(path).catch((error: unknown) => {
    throw refuse(errorMessage(error));
  });
  if (!(await stat(root)).isDirectory()) throw refuse("it is not a folder");
  return root;
}

/** Sorted, so that the same folder gives the same list. Symbolic links are not followed: they may lead anywhere. */
async function childFolders(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: unknown) => {
    throw fault.data("FOLDER_UNREADABLE", `cannot list ${root}: ${errorMessage(error)}`);
  });
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== ".git")
    .map((entry) => join(root, entry.name))
    .sort();
}

/** Where it was cloned from, without user and password: those never leave the repository. */
async function readRemote(call: GitCall): Promise<string | null> {
  const { stdout } = await runGit(call, ["config", "--get", "remote.origin.url"], [0, 1]).catch(
    // A broken configuration is found, and told, by the jobs that read the history.
    () => ({ stdout: "" }),
  );
  const url = stdout.trim();
  return url === "" ? null : url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
}

async function readHead(call: GitCall): Promise<{ commit: string; branch: string | null } | null> {
  const commit = await runGit(call, ["rev-parse", "--verify", "--quiet", "HEAD"], [0, 1]);
  if (commit.exitCode === 1) return null;
  const branch = await runGit(call, ["symbolic-ref", "--quiet", "--short", "HEAD"], [0, 1]);
  return { commit: commit.stdout.trim(), branch: branch.stdout.trim() || null };
}

async function* readCommits(
  call: GitCall,
  range: { head: string; not?: string; since?: Date; until?: Date },
): AsyncGenerator<CommitRecord> {
  const head = commitId(range.head);
  const not = range.not === undefined ? [] : [`^${commitId(range.not)}`];
  const since = range.since ? [`--max-age=${Math.floor(range.since.getTime() / 1000)}`] : [];
  const until = range.until ? [`--min-age=${Math.floor(range.until.getTime() / 1000)}`] : [];
  const lines = streamGit(call, [
    // The mailmap of the commit itself: the same commit gives the same people on every machine.
    ...["-c", `mailmap.blob=${head}:.mailmap`],
    ...["rev-list", "--no-commit-header", `--format=${COMMIT_FORMAT}`],
    ...since,
    ...until,
    ...["--end-of-options", head, ...not],
  ]);
  for await (const line of lines) {
    const commit = parseCommit(line);
    if (commit !== null) yield commit;
  }
}

/** Throws a data fault `GIT_COMMIT_INVALID` for what is no commit hash: nothing else is ever put to git as a revision. */
function commitId(text: string): string {
  if (/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(text)) return text;
  throw fault.data("GIT_COMMIT_INVALID", `found "${text.slice(0, 80)}", expected a commit hash`);
}

async function isAncestor(call: GitCall, ancestor: string, head: string): Promise<boolean> {
  const { exitCode } = await runGit(
    call,
    ["merge-base", "--is-ancestor", ancestor, head],
    // 128: one of them is not there.
    [0, 1, 128],
  );
  return exitCode === 0;
}

async function commitAt(call: GitCall, head: string, until: Date): Promise<string | null> {
  const { stdout } = await runGit(call, [
    ...["rev-list", "--first-parent", "--max-count=1"],
    ...[`--min-age=${Math.floor(until.getTime() / 1000)}`, "--end-of-options", head],
  ]);
  return stdout.trim() || null;
}

async function findMailmap(
  call: GitCall,
  head: string,
): Promise<{ oid: string } | "none" | "too-large"> {
  const found = await runGit(
    call,
    ["rev-parse", "--verify", "--quiet", `${head}:.mailmap`],
    [0, 1, 128],
  );
  if (found.exitCode !== 0) return "none";
  const oid = found.stdout.trim();
  const size = await runGit(call, ["cat-file", "-s", oid], [0, 1, 128]);
  if (size.exitCode !== 0) return "none";
  return Number(size.stdout) <= MAILMAP_MAX_BYTES ? { oid } : "too-large";
}

/** Null for what is no record of ours: rev-list ends each record with an empty line in some versions. */
function parseCommit(line: string): CommitRecord | null {
  const [hash, authored, parents, authorName, authorEmail, trailers] = line.split("\0");
  if (hash === undefined || trailers === undefined) return null;
  return {
    hash,
    authorName: authorName ?? "",
    authorEmail: authorEmail ?? "",
    authoredAt: new Date(Number(authored) * 1000),
    isMerge: (parents ?? "").includes(" "),
    coAuthors: parseCoAuthors(trailers),
  };
}

function parseCoAuthors(trailers: string): { name: string; email: string }[] {
  if (trailers === "") return [];
  return trailers
    .split("\x1e", CO_AUTHORS_MAX)
    .map((trailer) => /^([^<>]*)<([^<>]*)>\s*$/.exec(trailer))
    .filter((match) => match !== null)
    .map((match) => ({ name: (match[1] ?? "").trim(), email: (match[2] ?? "").trim() }));
}

async function readTags(call: GitCall): Promise<{ name: string; at: Date }[]> {
  const { stdout } = await runGit(call, [
    ...["for-each-ref", "--sort=-creatordate", `--count=${TAGS_MAX}`],
    ...["--format=%(refname:strip=2)%00%(creatordate:unix)", "refs/tags"],
  ]);
  return (
    stdout
      .split("\n")
      .map((line) => line.split("\0"))
      // A tag of a file or a tree has no date, and is no release.
      .filter(([name, seconds]) => name && seconds)
      .map(([name, seconds]) => ({ name: name ?? "", at: new Date(Number(seconds) * 1000) }))
  );
}
