/**
 * The only code that lets git speak to another machine: commits, trees and tags of one repository, without file
 * contents, into a bare repository of ours. One protocol, one host, no redirect, no submodule, no prompt, no
 * helper, no hook; the credential goes by the environment and stands in no argument and in no file.
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "../base/fault.js";
import type { SecretText } from "../base/secret-text.js";
import type { ProcessGroupRef, Shell, ShellResult } from "../runbook/port.js";
import { fetchFault } from "./fetch-faults.js";
import { folderBytes } from "./folder-bytes.js";
import { runGit } from "./git-command.js";

/** Between two looks at how large a clone has become. */
const SIZE_LOOK_MS = 1_000;
/** Of the program that indexes what arrives: a few hundred MB for a history of a million commits. */
const FETCH_MEMORY_MAX_BYTES = 4_000_000_000;
/** Room for a mailmap of more than the largest that is read, and for its index. */
const MAILMAP_FILE_MAX_BYTES = 4 * 1024 * 1024;
const SHORT_TIMEOUT_MS = 30_000;

export interface FetchSource {
  /** Checked by `fetchUrl`. */
  readonly url: URL;
  /** The default branch. */
  readonly branch: string;
  /** Null: a public repository. */
  readonly credential: SecretText | null;
}

export interface FetchCall {
  readonly shell: Shell;
  /** Our bare repository. */
  readonly gitDir: string;
  /** What people know the repository by. */
  readonly name: string;
  readonly source: FetchSource;
  readonly bytesMax: number;
  /** Of the repository with all its contents, as its host last counted it. */
  readonly fullBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Before git begins: who it is, for whoever must end it after our death. */
  readonly onStarted?: (group: ProcessGroupRef) => Promise<void>;
}

/** Settings of the command line win over every file. Where git does not know one, it passes over it. */
const SETTINGS = [
  "protocol.allow=never",
  "core.hooksPath=/dev/null",
  "core.symlinks=false",
  // What is larger than this goes to disk as it comes, and never into memory.
  "core.bigFileThreshold=16m",
  "credential.helper=",
  "http.followRedirects=false",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=30",
  "transfer.bundleURI=false",
  "fetch.recurseSubmodules=false",
  "submodule.recurse=false",
  // A pack a fetch: no loose objects, however small it is.
  "fetch.unpackLimit=1",
  "fetch.writeCommitGraph=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "pack.threads=2",
];

/**
 * Brings the branch, all tags and the mailmap up to date. `empty`: the branch has no commit. Throws `REPO_TOO_LARGE`,
 * `REPO_FILTER_UNSUPPORTED`, and what `fetchFault` makes of git's complaints.
 */
export async function fetchHistory(call: FetchCall): Promise<"fetched" | "empty"> {
  const { url, branch } = call.source;
  await replaceFile(join(call.gitDir, "HEAD"), `ref: refs/heads/${branch}\n`);
  await replaceFile(join(call.gitDir, "config"), configOf(url));
  const wanted = [`+refs/heads/${branch}:refs/heads/${branch}`, "+refs/tags/*:refs/tags/*"];
  const outcome = await fetchWithin(call, ["--prune", ...filtered, "origin", ...wanted]);
  if (outcome === "empty") return outcome;
  await fetchMailmap(call);
  return "fetched";
}

const filtered = ["--filter=blob:none", "--end-of-options"];

/** Ours alone. The address has been checked: it holds nothing that a configuration could take for syntax. */
function configOf(url: URL): string {
  return [
    "[core]\n\trepositoryformatversion = 1\n\tbare = true\n",
    "[extensions]\n\tpartialClone = origin\n",
    `[remote "origin"]\n\turl = ${url.href}\n\tpromisor = true\n\tpartialclonefilter = blob:none\n`,
  ].join("");
}

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Ends git as soon as the clone is larger than it may be, or the other side sends all that there is. */
async function fetchWithin(call: FetchCall, args: readonly string[]): Promise<"fetched" | "empty"> {
  const stop = new AbortController();
  const signal = AbortSignal.any([call.signal, stop.signal]);
  const onLine = (line: string) => {
    const sendsAll = line.includes("filtering not recognized by server");
    if (sendsAll && call.fullBytes > call.bytesMax) stop.abort(filterUnsupported(call));
  };
  const look = async () => {
    if ((await folderBytes(call.gitDir)) > call.bytesMax) stop.abort(tooLarge(call));
  };
  const watch = setInterval(() => {
    look().catch(() => {
      // It is followed by the next look, and the ceiling of the file holds meanwhile.
    });
  }, SIZE_LOOK_MS);
  const run = runFetch(call, args, { signal, onLine, fileBytes: call.bytesMax });
  const result = await run.finally(() => clearInterval(watch));
  if (stop.signal.aborted) throw stop.signal.reason;
  if (result.endedBy === "exit" && result.exitCode === 0) return "fetched";
  if (/couldn't find remote ref refs\/heads\//.test(result.stderr)) return "empty";
  // Its helper was ended by the ceiling of the file, before the next look, and without a word.
  if ((await folderBytes(call.gitDir)) >= call.bytesMax) throw tooLarge(call);
  throw fetchFault(call.name, result);
}

/** One small blob, asked for by name, for reads never fetch. What can never be had is as if it were not there. */
async function fetchMailmap(call: FetchCall): Promise<void> {
  const { shell, gitDir, signal } = call;
  const here = { shell, gitDir, signal, timeoutMs: SHORT_TIMEOUT_MS };
  const head = `refs/heads/${call.source.branch}`;
  const named = await runGit(
    here,
    ["rev-parse", "--verify", "--quiet", `${head}:.mailmap`],
    [0, 1, 128],
  );
  const oid = named.stdout.trim();
  if (named.exitCode !== 0) return;
  const held = await runGit(here, ["cat-file", "-e", oid], [0, 1, 128]);
  if (held.exitCode === 0) return;
  const args = [...filtered, "origin", oid];
  const result = await runFetch(call, args, { signal, fileBytes: MAILMAP_FILE_MAX_BYTES });
  if (result.endedBy === "exit" && result.exitCode === 0) return;
  const trouble = fetchFault(call.name, result);
  // To go on without it would be to keep wrong people until the next push.
  if (result.endedBy !== "exit" || trouble.kind !== "data") throw trouble;
}

interface FetchBounds {
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
  readonly fileBytes: number;
}

function runFetch(
  call: FetchCall,
  args: readonly string[],
  bounds: FetchBounds,
): Promise<ShellResult> {
  const protocol = call.source.url.protocol.replace(":", "");
  const settings = [...SETTINGS, `protocol.${protocol}.allow=always`].flatMap((one) => ["-c", one]);
  const fixed = [
    "--quiet",
    "--no-auto-maintenance",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
  ];
  return call.shell.run(
    ["git", `--git-dir=${call.gitDir}`, "--bare", ...settings, "fetch", ...fixed, ...args],
    {
      ...bounds,
      timeoutMs: call.timeoutMs,
      cwd: "/",
      env: environment(call.source, protocol),
      limits: { memoryBytes: FETCH_MEMORY_MAX_BYTES, fileBytes: bounds.fileBytes },
      ...(call.onStarted ? { onStarted: call.onStarted } : {}),
    },
  );
}

function environment({ url, credential }: FetchSource, protocol: string): Record<string, string> {
  return {
    LC_ALL: "C",
    // Not ours: ~/.netrc would be asked for passwords.
    HOME: "/nonexistent",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_NO_LAZY_FETCH: "1",
    GIT_ALLOW_PROTOCOL: protocol,
    ...(credential === null ? {} : authorization(url, credential)),
  };
}

/** As GitHub takes tokens of apps and of people (docs.github.com, "Authenticating as an installation"). */
function authorization(url: URL, credential: SecretText): Record<string, string> {
  const basic = Buffer.from(`x-access-token:${credential.reveal()}`).toString("base64");
  return {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${url.origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}

function tooLarge({ name, bytesMax }: FetchCall) {
  return fault.data(
    "REPO_TOO_LARGE",
    `the history of ${name} without file contents is larger than ${bytesMax} bytes`,
    { hint: "raise `repositories.largest` in workload.yaml, or leave the repository out" },
  );
}

function filterUnsupported({ name, fullBytes, bytesMax }: FetchCall) {
  return fault.data(
    "REPO_FILTER_UNSUPPORTED",
    `the host of ${name} sends all file contents (${fullBytes} bytes), expected at most ${bytesMax}`,
    {
      hint: "allow partial clones there (`uploadpack.allowFilter`), or raise `repositories.largest`",
    },
  );
}
