/**
 * Who is this? One answer for every door: a claim that the door has proven becomes a person of access.yaml, or
 * nobody. A display name is never looked at, and what fits two people fits none.
 */
import { type Access, isAtLeast, type Person, type Role } from "../policy/policy.js";
import { isPrefixedSubject, SUBJECT_PREFIX, subjectKey } from "../policy/subject.js";

/** What a door can vouch for: a signed request, a verified token, the user of this machine, a signed delivery. */
export type Claim =
  | { readonly door: "slack"; readonly team: string; readonly user: string }
  /** The token's role bounds the person's. */
  | { readonly door: "api"; readonly subject: string; readonly role: Role }
  | { readonly door: "cli"; readonly user: string }
  | { readonly door: "github"; readonly login: string }
  /** Of a commit. It proves nothing, and gives no right: it says who may not agree alone. */
  | { readonly door: "git"; readonly email: string };

/** The address that GitHub gives to who shows no other (docs.github.com, "Setting your commit email address"). */
const GITHUB_ADDRESS = /^(?:\d+\+)?([a-z\d-]+)@users\.noreply\.github\.com$/i;

/** Null: nobody in access.yaml, or more than one. */
export function findPerson(access: Access, claim: Claim): Person | null {
  const found = access.people.filter((person) => isTheirs(person, claim));
  const [person] = found;
  if (!person || found.length > 1) return null;
  if (claim.door !== "api" || isAtLeast(claim.role, person.role)) return person;
  return { ...person, role: claim.role };
}

function isTheirs(person: Person, claim: Claim): boolean {
  switch (claim.door) {
    case "slack":
      return person.slack.includes(`${claim.team}/${claim.user}`);
    case "api":
      return !isPrefixedSubject(claim.subject) && person.subjects.includes(claim.subject);
    case "cli":
      return person.subjects.includes(`${SUBJECT_PREFIX.terminal}${claim.user}`);
    case "github":
      // GitHub's logins keep their case and are compared without it.
      return person.github !== null && isSame(person.github, claim.login);
    case "git":
      return isAuthor(person, claim.email);
  }
}

function isAuthor({ subjects, github }: Person, email: string): boolean {
  const [, login] = GITHUB_ADDRESS.exec(email) ?? [];
  if (login !== undefined && github !== null && isSame(github, login)) return true;
  const key = subjectKey(`${SUBJECT_PREFIX.commit}${email}`);
  return subjects.some((subject) => subjectKey(subject) === key);
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** How audit rows name the claim: `slack:T1/U2`, `api:sub`, `cli:ann`, `github:ann`, `git:ann@example.com`. */
export function nameOf(claim: Claim): string {
  switch (claim.door) {
    case "slack":
      return `slack:${claim.team}/${claim.user}`;
    case "api":
      return `api:${claim.subject}`;
    case "cli":
      return `cli:${claim.user}`;
    case "github":
      return `github:${claim.login}`;
    case "git":
      return `${SUBJECT_PREFIX.commit}${claim.email}`;
  }
}
