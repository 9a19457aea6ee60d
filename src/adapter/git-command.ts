/**
 * How git is called on repositories that we do not trust: read only, nothing of the user's or the
 * machine's configuration, no hook, pager, prompt, external program, network or lazy fetch.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault, fault } from "../base/fault.js";
import type { Shell, ShellOptions } from "../runbook/port.js";
import { unreadable } from "./git-faults.js";

/** Everything of git's environment that matters; the shell hands nothing else on. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  LC_ALL: "C",
  GIT_TERMINAL_PROMPT: "0",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_OPTIONAL_LOCKS: "0",
  // A partial clone would fetch what it lacks in the middle of a log.
  GIT_NO_LAZY_FETCH: "1",
  GIT_ALLOW_PROTOCOL: "none",
};

/** Command-line settings win over the repository's own configuration. */
const SETTINGS = [
  // The operator named this folder; whoever owns it may well be another user.
  "safe.directory=*",
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  "protocol.allow=never",
  "gc.auto=0",
  "log.showSignature=false",
  // Written by whoever wrote the repository: with it, git would take parents and dates from there.
  "core.commitGraph=false",
  // Packs are looked at through windows: otherwise a large one is mapped whole, past the ceiling of memory.
  "core.packedGitWindowSize=32m",
  "core.packedGitLimit=256m",
  "i18n.logOutputEncoding=UTF-8",
].flatMap((setting) => ["-c", setting]);

/** Reading commits takes some 100 MB; a commit of gigabytes ends git, and not the machine. */
const READ_MEMORY_MAX_BYTES = 2_000_000_000;
/** Reading writes nothing; `git archive` writes what it is asked for. */
const READ_FILE_MAX_BYTES = 1_000_000_000;

export interface GitCall {
  readonly shell: Shell;
  /** The repository's own folder (`.git`, a bare repository, or the file that points to one). */
  readonly gitDir: string;
  /** What people know it by, where that is not `gitDir`. */
  readonly name?: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Of each file that git may write. Default: what reading can need. */
  readonly fileBytesMax?: number;
}

/**
 * The git folder of the repository at `path`: `path/.git` of a checkout or worktree, or `path` itself
 * when it is bare. Null when there is none: git's own search would climb into a parent's repository.
 */
export async function findGitDir(path: string): Promise<string | null> {
  const inside = join(path, ".git");
  if (await exists(inside)) return inside;
  const isBare = (await exists(join(path, "HEAD"))) && (await exists(join(path, "objects")));
  return isBare ? path : null;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Standard output and exit code of a short command. Throws transient and data faults, see `readFault`. */
export async function runGit(
  call: GitCall,
  args: readonly string[],
  /** Exit codes that are an answer, not a failure. */
  answers: readonly number[] = [0],
  input?: string,
): Promise<{ exitCode: number; stdout: string }> {
  const given = input === undefined ? {} : { input };
  const result = await call.shell.run(argv(call, args), { ...options(call), ...given });
  if (result.endedBy === "exit" && result.exitCode !== null && answers.includes(result.exitCode))
    return { exitCode: result.exitCode, stdout: result.stdout };
  throw result.endedBy === "exit"
    ? readFault(call, result.exitCode, result.stderr)
    : fault.transient("GIT_STOPPED", `git did not end by itself (${result.endedBy})`);
}

/** Lines of a long output, streamed. Throws as `runGit` does. */
export async function* streamGit(call: GitCall, args: readonly string[]): AsyncGenerator<string> {
  const complaints: string[] = [];
  const onLine = (line: string, stream: "stdout" | "stderr") => {
    if (stream === "stderr" && complaints.length < 10) complaints.push(line);
  };
  try {
    yield* call.shell.lines(argv(call, args), { ...options(call), onLine });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "PROGRAM_FAILED") throw error;
    const { exitCode } = error.details;
    const code = typeof exitCode === "number" ? exitCode : null;
    throw readFault(call, code, complaints.join("\n"), error);
  }
}

/** Settings that only matter for one call go before its subcommand: `["-c", "mailmap.blob=…", "rev-list"]`. */
function argv(call: GitCall, args: readonly string[]): string[] {
  return ["git", `--git-dir=${call.gitDir}`, "--bare", "--no-pager", "--no-replace-objects"].concat(
    SETTINGS,
    args,
  );
}

function options(call: GitCall): ShellOptions {
  // Away from the checkout: a .mailmap or .gitattributes lying there must not change what history says.
  const limits = {
    memoryBytes: READ_MEMORY_MAX_BYTES,
    fileBytes: call.fileBytesMax ?? READ_FILE_MAX_BYTES,
    cpuSeconds: Math.ceil(call.timeoutMs / 1000),
  };
  return { signal: call.signal, timeoutMs: call.timeoutMs, env: ENVIRONMENT, cwd: "/", limits };
}

/** Exit 128 is git's "cannot read this": trying again changes nothing. Signals and the rest may pass. */
function readFault(
  { gitDir, name = gitDir }: GitCall,
  exitCode: number | null,
  stderr: string,
  cause?: unknown,
): Fault {
  const said = stderr.replaceAll(gitDir, name).trim().split("\n")[0]?.slice(0, 200) ?? "";
  if (exitCode === 127)
    return fault.transient("GIT_NOT_INSTALLED", "the program git was not found", {
      hint: "install git 2.35 or newer on the machine that runs the workers",
      cause,
    });
  if (exitCode === 128 || exitCode === 1)
    return unreadable(name, said || `git ended with ${exitCode}`, cause);
  return fault.transient("GIT_FAILED", `git ended with ${exitCode ?? "a signal"}: ${said}`, {
    cause,
  });
}
