/** Real Git repositories made on the fly, from a list of commits, through `git fast-import`. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface MadeCommit {
  /** `Name <mail>`; bytes for what is not UTF-8. */
  readonly author: string | Buffer;
  /** ISO text; author and committer date alike. */
  readonly at: string;
  readonly message?: string;
  /** Files of the whole tree after this commit, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

const ENVIRONMENT = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: tmpdir(),
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
};

/** Lends an empty folder, gone afterwards. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "algobrain-git-")));
  try {
    await test(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function git(path: string, ...args: string[]): string {
  return execFileSync("git", args, { cwd: path, env: ENVIRONMENT, encoding: "utf8" }).trim();
}

/** Makes a repository at `path`, oldest commit first. Returns the path. */
export async function makeRepository(
  path: string,
  commits: readonly MadeCommit[],
  options: { bare?: boolean; remote?: string } = {},
): Promise<string> {
  mkdirSync(path, { recursive: true });
  git(path, "init", "--quiet", "--initial-branch=main", ...(options.bare ? ["--bare"] : []));
  if (options.remote) git(path, "config", "remote.origin.url", options.remote);
  if (commits.length > 0) await addCommits(path, commits);
  return path;
}

/** Adds commits on top of `main`, oldest first. */
export async function addCommits(path: string, commits: Iterable<MadeCommit>): Promise<void> {
  const child = spawn("git", ["fast-import", "--quiet"], {
    cwd: path,
    env: ENVIRONMENT,
    stdio: ["pipe", "inherit", "inherit"],
  });
  const ended = once(child, "exit");
  let isFirst = true;
  for (const commit of commits) {
    const chunk = importCommand(commit, isFirst && hasHead(path) ? "from refs/heads/main^0\n" : "");
    isFirst = false;
    if (!child.stdin.write(chunk)) await once(child.stdin, "drain");
  }
  child.stdin.end();
  const [exitCode] = await ended;
  if (exitCode !== 0) throw new Error(`git fast-import ended with ${exitCode}`);
}

function hasHead(path: string): boolean {
  return git(path, "for-each-ref", "refs/heads/main") !== "";
}

function importCommand(commit: MadeCommit, from: string): Buffer {
  const seconds = `${Math.floor(Date.parse(commit.at) / 1000)} +0000`;
  const message = commit.message ?? "change";
  const files = Object.entries(commit.files ?? {}).map(
    ([name, text]) => `M 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n`,
  );
  return Buffer.concat([
    Buffer.from("commit refs/heads/main\nauthor "),
    Buffer.from(commit.author),
    Buffer.from(` ${seconds}\ncommitter Maker <maker@example.org> ${seconds}\n`),
    Buffer.from(`data ${Buffer.byteLength(message)}\n${message}\n${from}${files.join("")}\n`),
  ]);
}

/** An annotated tag on `main` at a given time. */
export function tag(path: string, name: string, at: string): void {
  execFileSync("git", ["tag", "--annotate", "--message", name, name, "main"], {
    cwd: path,
    env: {
      ...ENVIRONMENT,
      GIT_COMMITTER_NAME: "Maker",
      GIT_COMMITTER_EMAIL: "maker@example.org",
      GIT_COMMITTER_DATE: at,
    },
  });
}
