/** Commits as `git rev-list` writes them, one a line, and as the port hands them out. */
import { fault } from "../base/fault.js";
import type { CommitRecord } from "../job/port.js";
import { type GitCall, runGit, streamGit } from "./git-command.js";

/**
 * What an author may write at any length comes last, so that a line that was cut for its length still tells which
 * commit it is, and when. Of the parents only whether there are two matters: 70 columns hold one hash of either
 * kind, and the beginning of a second.
 */
const COMMIT_FORMAT = [
  "%H",
  "%at",
  "%<(70,trunc)%P",
  "%aE",
  "%aN",
  "%(trailers:key=Co-authored-by,valueonly,unfold,separator=%x1e)",
].join("%x00");
/** More than this in one commit is noise, not people. */
const CO_AUTHORS_MAX = 100;
/** Of a name or an address. RFC 5321 allows 254 for an address; names are rarely longer than 100. */
const SIGNATURE_MAX = 10_000;
/** Git reads the whole of it at once. */
const MAILMAP_MAX_BYTES = 1024 * 1024;
/** A clock that was wrong: outside of these, a time is the nearest of them. Git began in 2005, but imports go back. */
const TIME_MIN_MS = 0;
const TIME_MAX_MS = Date.parse("2100-01-01T00:00:00Z");

export interface CommitRange {
  readonly head: string;
  readonly not?: string;
  readonly since?: Date;
  readonly until?: Date;
}

export async function* readCommits(
  call: GitCall,
  range: CommitRange,
): AsyncGenerator<CommitRecord> {
  const head = commitId(range.head);
  const not = range.not === undefined ? [] : [`^${commitId(range.not)}`];
  const since = range.since ? [`--max-age=${seconds(range.since)}`] : [];
  const until = range.until ? [`--min-age=${seconds(range.until)}`] : [];
  const mailmap = await findMailmap(call, head);
  const lines = streamGit(call, [
    // The mailmap of the commit itself: the same commit gives the same people on every machine.
    // Without one it must be set to nothing: in a bare repository git would read that of HEAD, however large.
    ...["-c", `mailmap.blob=${typeof mailmap === "object" ? mailmap.oid : ""}`],
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
export function commitId(text: string): string {
  if (/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(text)) return text;
  throw fault.data("GIT_COMMIT_INVALID", `found "${text.slice(0, 80)}", expected a commit hash`);
}

/** Unix time as git takes it. */
export function seconds(time: Date): number {
  return Math.max(0, Math.floor(time.getTime() / 1000));
}

/** In a clone without file contents it may be missing: then it says nothing, which is no fault. */
export async function findMailmap(
  call: GitCall,
  head: string,
): Promise<{ oid: string } | "none" | "too-large"> {
  const found = await runGit(call, ["cat-file", "--batch-check"], [0], `${head}:.mailmap\n`);
  const [, oid, size] = /^([0-9a-f]{40,64}) blob (\d+)\n/.exec(found.stdout) ?? [];
  if (oid === undefined) return "none";
  return Number(size) <= MAILMAP_MAX_BYTES ? { oid } : "too-large";
}

/** Null for what is no record of ours: rev-list ends each record with an empty line in some versions. */
function parseCommit(line: string): CommitRecord | null {
  const [hash, authored, parents, mail, name, trailers] = line.split("\0");
  if (hash === undefined || mail === undefined) return null;
  return {
    hash,
    authorName: signature(name ?? "", "%aN"),
    authorEmail: signature(mail, "%aE"),
    authoredAt: timeOf(Number(authored)),
    isMerge: (parents ?? "").trim().includes(" "),
    coAuthors: parseCoAuthors(trailers ?? ""),
  };
}

/** Where a commit names nobody, git leaves the placeholder as it is. */
function signature(text: string, placeholder: string): string {
  return text === placeholder ? "" : text.slice(0, SIGNATURE_MAX);
}

/** A valid date, whatever was written. */
export function timeOf(unixSeconds: number): Date {
  const ms = Number.isNaN(unixSeconds) ? TIME_MIN_MS : unixSeconds * 1000;
  return new Date(Math.min(Math.max(ms, TIME_MIN_MS), TIME_MAX_MS));
}

function parseCoAuthors(trailers: string): { name: string; email: string }[] {
  if (trailers === "") return [];
  return trailers
    .split("\x1e", CO_AUTHORS_MAX)
    .map((trailer) => /^([^<>]*)<([^<>]*)>\s*$/.exec(trailer))
    .filter((match) => match !== null)
    .map((match) => ({
      name: (match[1] ?? "").trim().slice(0, SIGNATURE_MAX),
      email: (match[2] ?? "").trim().slice(0, SIGNATURE_MAX),
    }));
}
