/**
 * The forms of a person's `subjects` in access.yaml: `cli:ann` is the user of a terminal, `git:ann@example.com` the
 * author of commits; anything else is the subject of a token, which its issuer chooses.
 */
export const SUBJECT_PREFIX = { terminal: "cli:", commit: "git:" } as const;

/** An entry that no token may claim. */
export function isPrefixedSubject(subject: string): boolean {
  return Object.values(SUBJECT_PREFIX).some((prefix) => subject.startsWith(prefix));
}

/** It says who wrote something, and lets nobody in. */
export function isCommitSubject(subject: string): boolean {
  return subject.startsWith(SUBJECT_PREFIX.commit);
}

/**
 * Two subjects with one key are the same. Addresses of commits are compared without case, as Git's own mailmap does
 * (gitmailmap(5)): RFC 5321 2.4 lets the part before the @ depend on it, but nobody becomes somebody else by a
 * capital letter.
 */
export function subjectKey(subject: string): string {
  return isCommitSubject(subject) ? subject.toLowerCase() : subject;
}
