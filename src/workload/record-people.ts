/** Writes what a history says of people, in one transaction: all of it, or nothing. */
import { fault } from "../base/fault.js";
import { readClaims, replaceClaims, type StoredClaim } from "../store/claims.js";
import type { Sql } from "../store/database.js";
import { FORGOTTEN_ID } from "../store/forgotten.js";
import { readPushedLogins } from "../store/github-logins.js";
import { addIdentities, lockIdentities, renameByClaims } from "../store/identities.js";
import { forgetRepoHistory, moveRepoHistory, type PastRead } from "../store/repo-history.js";
import { type Author, addAuthors, signatureKey } from "./authors.js";
import { foldForgotten, loadForgotten } from "./forgotten.js";
import { type JoinRules, joinPeople } from "./join-people.js";
import { gatherPeople, type People } from "./people.js";
import { normalMail } from "./person.js";

/** What was read of a history. */
export interface HistoryRead {
  readonly repoId: string;
  /** What was known before. */
  readonly past: PastRead | null;
  /** Whether `authors` are only those of the commits since then. */
  readonly isContinued: boolean;
  /** Null: the repository has no commits. */
  readonly head: string | null;
  readonly mailmap: string | null;
  readonly rules: string;
  readonly commitCount: number;
  readonly authors: readonly Author[];
}

export interface PeopleRecorded {
  /** Of the whole history. */
  readonly commits: number;
  readonly people: number;
  readonly bots: number;
  readonly claims: number;
  readonly merged: number;
  readonly hinted: number;
  readonly removed: number;
}

/** Who they are, and what that was found by. */
export interface PeopleFound {
  readonly people: People;
  /** Of the whole history. */
  readonly claimsSum: number;
  /** Digests of forgotten people that were known. */
  readonly forgottenCount: number;
}

/** Before the transaction: for the longest histories it takes seconds, in which nobody should wait for a lock. */
export async function findPeople(sql: Sql, read: HistoryRead): Promise<PeopleFound> {
  const forgotten = await loadForgotten(sql);
  const had = read.isContinued ? await readClaims(sql, read.repoId) : [];
  const authors = foldForgotten(addAuthors(had, read.authors), forgotten);
  return {
    people: gatherPeople(authors, await readLogins(sql, read.repoId)),
    claimsSum: sumOf(authors),
    forgottenCount: forgotten.count,
  };
}

/**
 * Throws a transient fault `HISTORY_MOVED` when somebody else wrote people of this repository since it was looked at,
 * or somebody was forgotten: the next attempt begins from there.
 */
export async function recordPeople(
  tx: Sql,
  read: HistoryRead,
  { people, claimsSum, forgottenCount }: PeopleFound,
  rules: JoinRules,
): Promise<PeopleRecorded> {
  // In this order wherever both are taken: the other way round, two transactions would wait for each other.
  const forgotten = await loadForgotten(tx);
  await lockIdentities(tx);
  const had = await readClaims(tx, read.repoId);
  const isStale = read.isContinued && sumOf(had) !== read.past?.claimsSum;
  if (isStale || forgotten.count !== forgottenCount) throw moved(read.repoId);
  const fresh = freshPersons(people, read, had);
  await addIdentities(
    tx,
    people.persons.filter(({ id }) => fresh.has(id)),
  );
  const { standing, ...joined } = await joinPeople(tx, people, fresh, rules);
  const claims = people.claims.map(({ personId, ...claim }) => ({
    ...claim,
    identityId: standing.get(personId) ?? personId,
  }));
  const { removed, touched } = await replaceClaims(tx, read.repoId, claims, had);
  await renameByClaims(
    tx,
    [...touched].filter((id) => id !== FORGOTTEN_ID),
  );
  const commits = read.commitCount + (read.isContinued ? (read.past?.commits ?? 0) : 0);
  await moveHistory(tx, read, { commits, claimsSum });
  return { commits, ...countPeople(people), ...joined, removed };
}

function sumOf(authors: readonly Pick<Author, "commitCount">[]): number {
  return authors.reduce((sum, { commitCount }) => sum + commitCount, 0);
}

/** Of whom something is said that no claim said before. Read whole, rules or history may be new: then all are. */
function freshPersons(
  people: People,
  read: HistoryRead,
  had: readonly StoredClaim[],
): ReadonlySet<string> {
  const known = new Set(read.isContinued ? had.map(signatureKey) : []);
  return new Set(
    people.claims
      .filter((claim) => !known.has(signatureKey(claim)))
      .map(({ personId }) => personId),
  );
}

/** A mail with two accounts says nothing: it moved, or two people share it. */
async function readLogins(sql: Sql, repoId: string): Promise<Map<string, string>> {
  const logins = new Map<string, string>();
  const unclear = new Set<string>();
  for (const { mail, login } of await readPushedLogins(sql, repoId)) {
    const [normal, account] = [normalMail(mail), login.toLowerCase()];
    if ((logins.get(normal) ?? account) !== account) unclear.add(normal);
    logins.set(normal, account);
  }
  for (const mail of unclear) logins.delete(mail);
  return logins;
}

async function moveHistory(
  tx: Sql,
  { repoId, past, head, mailmap, rules }: HistoryRead,
  sums: { readonly commits: number; readonly claimsSum: number },
): Promise<void> {
  if (head === null) return forgetRepoHistory(tx, repoId);
  const now = { head, mailmap, rules, ...sums };
  if (!(await moveRepoHistory(tx, repoId, past?.head ?? null, now))) throw moved(repoId);
}

function moved(repoId: string) {
  return fault.transient(
    "HISTORY_MOVED",
    `the people of ${repoId} were written by somebody else while its history was read`,
    { hint: "nothing to do: the next attempt reads on from what is there now" },
  );
}

function countPeople({ persons, claims }: People) {
  const named = persons.filter(({ id }) => id !== FORGOTTEN_ID);
  return {
    people: named.filter(({ kind }) => kind === "human").length,
    bots: named.filter(({ kind }) => kind === "bot").length,
    claims: claims.length,
  };
}
