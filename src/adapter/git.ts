/**
 * The Git port over the program git: history, heads and tags of repositories on this machine. Works on
 * checkouts, worktrees and bare repositories, and reads only Git's own objects, never the files of a checkout.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { MINUTE_MS } from "../base/duration.js";
import { errorMessage, fault } from "../base/fault.js";
import type { CommitRecord, Git, GitRepository } from "../job/port.js";
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
/** Enough for any release history; tags by the hundred thousand exist, too. */
const TAGS_MAX = 1_000;

export function createGit(shell: Shell): Git {
  const open = async (path: string, signal: AbortSignal): Promise<GitCall> => {
    const gitDir = await findGitDir(path);
    if (gitDir === null)
      throw fault.data("GIT_REPOSITORY_MISSING", `there is no Git repository at ${path}`, {
        hint: "index the folder again: what is gone is then marked as archived",
      });
    return { shell, gitDir, signal, timeoutMs: COMMAND_TIMEOUT_MS };
  };
  return {
    listRepositories: (path, signal) => listRepositories(path, (at) => open(at, signal)),
    head: async (path, signal) => readHead(await open(path, signal)),
    async *commits(path, range, signal) {
      yield* readCommits({ ...(await open(path, signal)), timeoutMs: WALK_TIMEOUT_MS }, range);
    },
    tags: async (path, signal) => readTags(await open(path, signal)),
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
  range: { head: string; since?: Date },
): AsyncGenerator<CommitRecord> {
  if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(range.head))
    throw fault.data(
      "GIT_COMMIT_INVALID",
      `found "${range.head.slice(0, 80)}", expected a commit hash`,
    );
  const since = range.since ? [`--max-age=${Math.floor(range.since.getTime() / 1000)}`] : [];
  const lines = streamGit(call, [
    // The mailmap of the commit itself: the same commit gives the same people on every machine.
    ...["-c", `mailmap.blob=${range.head}:.mailmap`],
    ...["rev-list", "--no-commit-header", `--format=${COMMIT_FORMAT}`],
    ...since,
    ...["--end-of-options", range.head],
  ]);
  for await (const line of lines) {
    const commit = parseCommit(line);
    if (commit !== null) yield commit;
  }
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
