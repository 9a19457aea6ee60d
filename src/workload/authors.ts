/**
 * A stream of commits becomes one line for each distinct signature, with counts and times. Memory grows
 * with the number of people, never with the number of commits.
 */
import { type Fault, fault } from "../base/fault.js";
import type { CommitRecord } from "../job/port.js";
import { tidyMail, tidyName } from "./person.js";

export type ClaimKind = "author" | "co-author";

/** One signature as written in one repository. */
export interface Author {
  readonly kind: ClaimKind;
  readonly name: string;
  readonly email: string;
  readonly commitCount: number;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
}

export interface AuthorSummary {
  readonly commitCount: number;
  readonly authors: readonly Author[];
}

/** The largest public histories have some 30,000 signatures; more is a flood, not a team, and would take memory. */
const AUTHORS_MAX = 100_000;

interface Tally {
  kind: ClaimKind;
  name: string;
  email: string;
  count: number;
  firstMs: number;
  lastMs: number;
}

/** Throws a data fault `AUTHORS_TOO_MANY`. `onCommits` hears of each thousandth commit. */
export async function summariseAuthors(
  commits: AsyncIterable<CommitRecord>,
  {
    authorsMax = AUTHORS_MAX,
    onCommits,
  }: { authorsMax?: number; onCommits?: (count: number) => void } = {},
): Promise<AuthorSummary> {
  const tallies = new Map<string, Tally>();
  let commitCount = 0;
  for await (const commit of commits) {
    commitCount++;
    const atMs = commit.authoredAt.getTime();
    count(tallies, "author", commit.authorName, commit.authorEmail, atMs);
    for (const { name, email } of commit.coAuthors) count(tallies, "co-author", name, email, atMs);
    if (tallies.size > authorsMax) throw tooMany(authorsMax);
    if (commitCount % 1_000 === 0) onCommits?.(commitCount);
  }
  return { commitCount, authors: [...tallies.values()].map(toAuthor) };
}

/**
 * What two stretches of one history say together, when no commit is in both. Throws a data fault `AUTHORS_TOO_MANY`.
 */
export function addAuthors(
  before: readonly Author[],
  since: readonly Author[],
  authorsMax = AUTHORS_MAX,
): Author[] {
  const sum = new Map(before.map((author) => [signatureKey(author), toSignature(author)]));
  for (const author of since) {
    const known = sum.get(signatureKey(author));
    sum.set(signatureKey(author), known === undefined ? author : added(known, author));
  }
  if (sum.size > authorsMax) throw tooMany(authorsMax);
  return [...sum.values()];
}

/** What else is known of it is of another place. */
function toSignature({ kind, name, email, commitCount, firstSeenAt, lastSeenAt }: Author): Author {
  return { kind, name, email, commitCount, firstSeenAt, lastSeenAt };
}

function added(known: Author, author: Author): Author {
  const { firstSeenAt, lastSeenAt } = author;
  return {
    ...known,
    commitCount: known.commitCount + author.commitCount,
    firstSeenAt: firstSeenAt < known.firstSeenAt ? firstSeenAt : known.firstSeenAt,
    lastSeenAt: lastSeenAt > known.lastSeenAt ? lastSeenAt : known.lastSeenAt,
  };
}

/** Equal for the same signature: one row of `claims` in a repository. */
export function signatureKey({ kind, name, email }: Pick<Author, "kind" | "name" | "email">) {
  return `${kind}\0${email}\0${name}`;
}

function tooMany(authorsMax: number): Fault {
  return fault.data("AUTHORS_TOO_MANY", `more than ${authorsMax} distinct authors in one history`, {
    hint: "this does not look like the work of people; leave the repository out of the index",
  });
}

function count(
  tallies: Map<string, Tally>,
  kind: ClaimKind,
  writtenName: string,
  writtenMail: string,
  atMs: number,
): void {
  const [name, email] = [tidyName(writtenName), tidyMail(writtenMail)];
  if (name === "" && email === "") return;
  const key = signatureKey({ kind, name, email });
  const tally = tallies.get(key);
  if (!tally) {
    tallies.set(key, { kind, name, email, count: 1, firstMs: atMs, lastMs: atMs });
    return;
  }
  tally.count++;
  tally.firstMs = Math.min(tally.firstMs, atMs);
  tally.lastMs = Math.max(tally.lastMs, atMs);
}

function toAuthor(tally: Tally): Author {
  return {
    kind: tally.kind,
    name: tally.name,
    email: tally.email,
    commitCount: tally.count,
    firstSeenAt: new Date(tally.firstMs),
    lastSeenAt: new Date(tally.lastMs),
  };
}
