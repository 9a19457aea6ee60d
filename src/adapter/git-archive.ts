/** Files of one commit, through `git archive`: one program, however many files, and nothing of the checkout touched. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import type { Shell } from "../runbook/port.js";
import { findGitDir, type GitCall, runGit } from "./git-command.js";
import { readTar, type TarFile } from "./tar.js";

/** One short command. */
const COMMAND_TIMEOUT_MS = 30_000;
/** Policies are a few hundred kilobytes. */
const ARCHIVE_MAX_BYTES = 64 * 1024 * 1024;

export interface CommitFiles {
  /** The full hash that the revision stands for. */
  readonly commit: string;
  readonly files: readonly TarFile[];
}

/**
 * What stands under these paths at this revision; paths that the commit does not have are left out.
 * Throws a refused Fault when there is no repository or no such commit, and what `runGit` throws.
 * @param repository folder of a checkout, a worktree or a bare repository
 * @param revision branch, tag or hash
 */
export async function readCommitFiles(
  shell: Shell,
  repository: string,
  { revision, paths, signal }: { revision: string; paths: readonly string[]; signal: AbortSignal },
): Promise<CommitFiles> {
  const gitDir = await findGitDir(repository);
  if (gitDir === null) throw noCommit(revision, `${repository} is no Git repository`);
  const call: GitCall = { shell, gitDir, signal, timeoutMs: COMMAND_TIMEOUT_MS };
  const commit = await readCommit(call, revision);
  const listed = await runGit(call, ["ls-tree", "--name-only", commit, "--", ...paths]);
  const there = listed.stdout.split("\n").filter((path) => paths.includes(path));
  return { commit, files: there.length === 0 ? [] : await archive(call, commit, there) };
}

async function readCommit(call: GitCall, revision: string): Promise<string> {
  const named = ["--end-of-options", `${revision}^{commit}`];
  const { exitCode, stdout } = await runGit(
    call,
    ["rev-parse", "--verify", "--quiet", ...named],
    [0, 1, 128],
  );
  const commit = stdout.trim();
  if (exitCode === 0 && /^[0-9a-f]{40,64}$/.test(commit)) return commit;
  throw noCommit(revision, `this repository has no commit "${revision}"`);
}

function noCommit(revision: string, message: string) {
  return fault.refused("GIT_REVISION_UNKNOWN", message, {
    hint: `name a folder with policies or a commit; \`git fetch\` brings a branch such as ${revision}`,
  });
}

async function archive(call: GitCall, commit: string, paths: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "algobrain-archive-"));
  try {
    const file = join(folder, "files.tar");
    await runGit(call, ["archive", "--format=tar", `--output=${file}`, commit, "--", ...paths]);
    const { size } = await stat(file);
    if (size > ARCHIVE_MAX_BYTES)
      throw fault.data("GIT_ARCHIVE_TOO_LARGE", `${paths.join(", ")} take ${size} bytes`);
    return readTar(await readFile(file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
