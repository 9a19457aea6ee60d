/**
 * The Git port over the program git: history, heads and tags of repositories on this machine. Works on
 * checkouts, worktrees and bare repositories, and reads only Git's own objects, never the files of a checkout.
 * Every read goes through a view: git sees nothing of a repository but its objects and the refs that are asked for.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { MINUTE_MS } from "../base/duration.js";
import { errorMessage, Fault, fault } from "../base/fault.js";
import type { Git, GitRepository, RepoPlace } from "../job/port.js";
import type { Shell } from "../runbook/port.js";
import { type GitCall, runGit } from "./git-command.js";
import { commitId, findMailmap, readCommits, seconds, timeOf } from "./git-commits.js";
import { isRepository } from "./git-place.js";
import { type GitView, openView, prepareViews, readSetting, type ViewWish } from "./git-view.js";

/** One short command. */
const COMMAND_TIMEOUT_MS = 30_000;
/** The walk over a whole history. */
const WALK_TIMEOUT_MS = 15 * MINUTE_MS;
/** Enough for any release history; tags by the hundred thousand exist, too. */
const TAGS_MAX = 1_000;

export interface GitOptions {
  /** A folder of ours for views. Default: they lie among the temporary files of the system. */
  readonly views?: string;
}

type Wish = Pick<ViewWish, "signal"> & Partial<ViewWish>;
/** Opens a view for as long as `use` takes. */
type Look = <T>(at: RepoPlace, wish: Wish, use: (view: GitView) => Promise<T>) => Promise<T>;

export function createGit(shell: Shell, { views }: GitOptions = {}): Git {
  let isPrepared = false;
  const open = async (at: RepoPlace, wish: Wish) => {
    if (views !== undefined && !isPrepared) await prepareViews(views);
    isPrepared = true;
    return openView({ shell, views }, { at, timeoutMs: COMMAND_TIMEOUT_MS, ...wish });
  };
  const look: Look = async (at, wish, use) => {
    const view = await open(at, wish);
    try {
      return await use(view);
    } finally {
      await view.close();
    }
  };
  return {
    listRepositories: (path, signal) => listRepositories(look, path, signal),
    head: (at, signal) => look(at, { signal }, readHead),
    async *commits(at, range, signal) {
      const view = await open(at, { signal, timeoutMs: WALK_TIMEOUT_MS });
      try {
        yield* readCommits(view.call, range);
      } finally {
        await view.close();
      }
    },
    tags: (at, signal) => look(at, { signal, withTags: true }, ({ call }) => readTags(call)),
    isAncestor: (at, ancestor, head, signal) =>
      look(at, { signal }, ({ call }) => isAncestor(call, commitId(ancestor), commitId(head))),
    commitAt: (at, head, until, signal) =>
      look(at, { signal }, ({ call }) => commitAt(call, commitId(head), until)),
    mailmap: (at, head, signal) =>
      look(at, { signal }, ({ call }) => findMailmap(call, commitId(head))),
  };
}

async function listRepositories(
  look: Look,
  path: string,
  signal: AbortSignal,
): Promise<GitRepository[]> {
  const root = await resolveFolder(path);
  const found: GitRepository[] = [];
  for (const place of [root, ...(await childFolders(root))]) {
    if (!(await isRepository(place))) continue;
    const name = basename(place).replace(/(?<=.)\.git$/, "");
    const remote = await look({ path: place, root }, { signal }, readRemote).catch(ifDamaged);
    found.push({ path: place, root, name, remote });
  }
  return found;
}

/** A repository that cannot be read is found, and why is told, by the jobs that read its history. */
function ifDamaged(error: unknown): null {
  if (error instanceof Fault && error.kind === "data") return null;
  throw error;
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
async function readRemote({ call, config }: GitView): Promise<string | null> {
  const url = config && (await readSetting(call, config, "remote.origin.url"));
  return url === null ? null : url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
}

async function readHead({
  call,
  branch,
}: GitView): Promise<{ commit: string; branch: string | null } | null> {
  const commit = await runGit(call, ["rev-parse", "--verify", "--quiet", "HEAD"], [0, 1]);
  return commit.exitCode === 1 ? null : { commit: commit.stdout.trim(), branch };
}

async function isAncestor(call: GitCall, ancestor: string, head: string): Promise<boolean> {
  const args = ["merge-base", "--is-ancestor", ancestor, head];
  // 128: one of them is not there.
  return (await runGit(call, args, [0, 1, 128])).exitCode === 0;
}

async function commitAt(call: GitCall, head: string, until: Date): Promise<string | null> {
  const { stdout } = await runGit(call, [
    ...["rev-list", "--first-parent", "--max-count=1", `--min-age=${seconds(until)}`],
    ...["--end-of-options", head],
  ]);
  return stdout.trim() || null;
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
      .filter(([name, time]) => name && time)
      .map(([name, time]) => ({ name: name ?? "", at: timeOf(Number(time)) }))
  );
}
