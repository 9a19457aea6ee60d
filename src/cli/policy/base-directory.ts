/** What the policies are compared with: another folder, or the same folder at another commit. */
import { stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { findGitDir } from "../../adapter/git-command.js";
import { fault } from "../../base/fault.js";
import { CATALOGUE_PATH, isPolicyFile } from "../../policy/files.js";
import type { SourceFile } from "../../policy/source.js";
import { type PolicyDirectory, readPolicyDirectory } from "../../runtime/policy-source.js";
import type { CommandIo } from "../command.js";

export interface BaseDirectory {
  readonly directory: PolicyDirectory;
  /** The folder as it was typed, or `origin/main at 1f2e3d4c5b6a`. */
  readonly shown: string;
}

/** For all calls of git together. */
const DEADLINE_MS = 60_000;

/**
 * @param typed a folder, or whatever Git takes for a commit
 * @param here where the policies are that are compared with it
 */
export async function readBase(
  typed: string,
  { dir, head }: { readonly dir: string; readonly head: PolicyDirectory },
  io: CommandIo,
): Promise<BaseDirectory> {
  const base = (await isFolder(resolve(io.cwd, typed)))
    ? { directory: await readPolicyDirectory(typed, io), shown: typed }
    : await readRevision(typed, dir, io);
  return {
    ...base,
    directory: { ...base.directory, files: shareFiles(base.directory.files, head) },
  };
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Files that did not change are the same objects, so that they are read once. */
function shareFiles(files: readonly SourceFile[], head: PolicyDirectory): SourceFile[] {
  const known = new Map(head.files.map((file) => [file.path, file]));
  return files.map((file) => {
    const same = known.get(file.path);
    return same?.text === file.text ? same : file;
  });
}

async function readRevision(revision: string, dir: string, io: CommandIo): Promise<BaseDirectory> {
  const { repository, folder } = await findRepository(dir, io);
  const catalogue = join(dirname(folder), CATALOGUE_PATH);
  // Loaded only here: a comparison of two folders starts no programs.
  const { createShell } = await import("../../adapter/shell.js");
  const { readCommitFiles } = await import("../../adapter/git-archive.js");
  const shell = createShell({ redact: (text) => text, path: io.env.PATH });
  const { commit, files } = await readCommitFiles(shell, repository, {
    ...{ revision, paths: [folder, catalogue] },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const named = files.map(({ path, text }) => ({
    path: path === catalogue ? CATALOGUE_PATH : `policies${path.slice(folder.length)}`,
    text,
  }));
  return {
    directory: {
      files: named.filter(({ path }) => isPolicyFile(path)),
      runbookFiles: null,
      shown: (path) => `${revision}:${path}`,
    },
    shown: `${revision} at ${commit.slice(0, 12)}`,
  };
}

/** The repository around the folder, and the folder's path in it, with `/`. */
async function findRepository(dir: string, { cwd, packageRoot }: CommandIo) {
  const own = resolve(cwd, dir);
  const path = isAbsolute(dir) || (await isFolder(own)) ? own : resolve(packageRoot, dir);
  for (let at = dirname(path); ; at = dirname(at)) {
    if ((await findGitDir(at)) !== null)
      return { repository: at, folder: relative(at, path).replaceAll("\\", "/") };
    if (at === dirname(at)) break;
  }
  throw fault.refused("GIT_REVISION_UNKNOWN", `${dir} lies in no Git repository`, {
    hint: "name a folder with other policies to compare with",
  });
}
