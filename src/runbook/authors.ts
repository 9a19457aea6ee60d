/**
 * Who wrote the last change of a runbook, and why nobody agrees alone to what he wrote himself (runbooks-chatops.md
 * 4.5). The build finds it out from Git; here it is compared with access.yaml. Pure.
 */
import type { Access } from "../policy/policy.js";
import type { ApprovalRule } from "./authorize.js";
import { findPerson } from "./identity.js";

export interface CommitAuthor {
  readonly name: string;
  /** As Git keeps it: a claim of whoever committed, reviewed with the change. */
  readonly email: string;
}

export interface RunbookChange {
  /** Null: what was built is in no commit. */
  readonly commit: string | null;
  /** The author and the co-authors; empty where it is in no commit. */
  readonly authors: readonly CommitAuthor[];
}

export interface Authorship {
  /** Those of access.yaml who wrote it, by name, sorted. */
  readonly people: readonly string[];
  /** Why somebody else may have written it too, in words; null: all who did are known. */
  readonly unknown: string | null;
}

/** Two people are never one author alone. */
const PEOPLE_WHERE_UNKNOWN = 2;
const SHOWN_MAX = 100;

/** @param change null: the build could not say, or said it of another content */
export function authorshipOf(change: RunbookChange | null, access: Access): Authorship {
  if (change === null) return nobody("the build had no Git history of it");
  if (change.commit === null) return nobody("it was built with changes that are in no commit");
  const found = change.authors.map(({ email }) => findPerson(access, { door: "git", email }));
  const people = [...new Set(found.flatMap((person) => person?.name ?? []))].sort();
  const stranger = change.authors.find((_author, i) => found[i] === null);
  if (people.length > 0 && !stranger) return { people, unknown: null };
  return { people, unknown: describeStranger(stranger, change.commit) };
}

function nobody(unknown: string): Authorship {
  return { people: [], unknown };
}

function describeStranger(author: CommitAuthor | undefined, commit: string): string {
  const email = author?.email.slice(0, SHOWN_MAX) ?? "";
  const at = commit.slice(0, 12);
  if (email === "") return `commit ${at} names an author without an address`;
  return `${email} of commit ${at} is nobody in access.yaml: enter git:${email} under a person`;
}

/**
 * The rule for a run that nobody asked for: what its author says is not enough. Where the author is not known,
 * anybody may be it, so that two people must agree; in `local` one person is all there is.
 */
export function bindToAuthors(
  rule: ApprovalRule,
  { people, unknown }: Authorship,
  isLocal: boolean,
): ApprovalRule {
  const isOpen = unknown !== null && !isLocal;
  const needed = isOpen ? Math.max(rule.needed, PEOPLE_WHERE_UNKNOWN) : rule.needed;
  return { ...rule, needed, authors: people, authorUnknown: unknown };
}

/** Whether nobody but authors is among them; never so where nobody is. */
export function areAllAuthors(people: readonly string[], authors: readonly string[]): boolean {
  return people.length > 0 && people.every((person) => authors.includes(person));
}

/**
 * Why this person alone may not raise a runbook so far that it starts without people; null: he may.
 * @param giver a person of access.yaml; null: an account that is nobody there
 */
export function whyNotAlone(
  runbook: string,
  giver: string | null,
  { people, unknown }: Authorship,
  isLocal: boolean,
): string | null {
  if (giver !== null && people.includes(giver)) return `you wrote the last change of ${runbook}`;
  if (isLocal) return null;
  if (unknown !== null) return `nobody knows who wrote the last change of ${runbook} (${unknown})`;
  return giver === null
    ? `your account is nobody in access.yaml, so that you may have written the last change of ${runbook}`
    : null;
}
