/**
 * Who is this? One answer for every door: a claim that the door has proven becomes a person of access.yaml, or
 * nobody. A display name is never looked at, and what fits two people fits none.
 */
import { type Access, isAtLeast, type Person, type Role } from "../policy/policy.js";

/** What a door can vouch for: a signed request, a verified token, the user of this machine, a signed delivery. */
export type Claim =
  | { readonly door: "slack"; readonly team: string; readonly user: string }
  /** The token's role bounds the person's. */
  | { readonly door: "api"; readonly subject: string; readonly role: Role }
  | { readonly door: "cli"; readonly user: string }
  | { readonly door: "github"; readonly login: string };

/** How the user of a terminal stands among the subjects of a person: no token's subject may look like it. */
const TERMINAL_PREFIX = "cli:";

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
      return !claim.subject.startsWith(TERMINAL_PREFIX) && person.subjects.includes(claim.subject);
    case "cli":
      return person.subjects.includes(`${TERMINAL_PREFIX}${claim.user}`);
    case "github":
      // GitHub's logins keep their case and are compared without it.
      return person.github !== null && person.github.toLowerCase() === claim.login.toLowerCase();
  }
}

/** How audit rows name the claim: `slack:T1/U2`, `api:sub`, `cli:ann`, `github:ann`. */
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
  }
}
