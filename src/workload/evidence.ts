/**
 * What speaks for two persons being one, and how strongly. Pure. Each piece of evidence has a weight, the chance that
 * it alone is right; together they make a score by noisy-or: 1 − Π(1 − weight). Policy says from which score on two
 * are merged, and from which a person is asked (workload.yaml, people).
 */
import { companyDomain, githubLogin, isFullName, normalMail, normalName } from "./person.js";

export const EVIDENCE_WEIGHTS = {
  /** GitHub named one account for both, in pushes that it signed. */
  "same-github-login": 0.97,
  /** The same first name, and the same login at two hosts. */
  "same-login-and-name": 0.8,
  /** Within one repository. */
  "same-full-name": 0.75,
  /** Beside a full name only: by itself it makes colleagues, not one person. */
  "same-domain": 0.6,
  /** In two repositories that share nothing else. */
  "same-full-name-elsewhere": 0.4,
} as const;
export type EvidenceKind = keyof typeof EVIDENCE_WEIGHTS;

/** Two persons who may be one. */
export interface Bond {
  readonly personIds: readonly [string, string];
  /** 0–1. */
  readonly score: number;
  readonly evidence: readonly EvidenceKind[];
}

export interface Written {
  readonly name: string;
  readonly email: string;
}

/** What a person's signatures say that another's may say, too. */
export interface Facts {
  readonly id: string;
  readonly fullNames: ReadonlySet<string>;
  readonly domains: ReadonlySet<string>;
  /** First names with the login beside them. */
  readonly loginNames: ReadonlySet<string>;
  readonly githubLogins: ReadonlySet<string>;
}

/** A mail under which more full names write is a mailbox that people share: it makes nobody one with anybody. */
const FULL_NAMES_MAX = 3;
/** Mails under which one name writes in one repository: more is a name that a program was given, or a flood. */
const BEARERS_MAX = 100;
/** Characters: shorter logins are initials, and many people share them. */
const LOGIN_MIN = 3;

/** `logins`: GitHub's account of a mail, both in normal form. */
export function factsOf(
  id: string,
  signatures: readonly Written[],
  logins: ReadonlyMap<string, string> = new Map(),
): Facts {
  const [fullNames, loginNames]: [string[], string[]] = [[], []];
  const [domains, githubLogins]: [string[], string[]] = [[], []];
  for (const { name, email } of signatures) {
    const [normal, mail] = [normalName(name), normalMail(email)];
    const ownLogin = githubLogin(mail);
    const login = ownLogin ?? mail.split("@")[0] ?? "";
    if (isFullName(normal)) fullNames.push(normal);
    else if (normal !== "" && login.length >= LOGIN_MIN) loginNames.push(`${login} ${normal}`);
    const domain = companyDomain(mail);
    if (domain !== null) domains.push(domain);
    const account = ownLogin ?? logins.get(mail);
    if (account !== undefined) githubLogins.push(account);
  }
  return {
    ...{ id, fullNames: setOf(fullNames), domains: setOf(domains) },
    ...{ loginNames: setOf(loginNames), githubLogins: setOf(githubLogins) },
  };
}

/** A history may hold a hundred thousand persons, and most sets of a person are empty. */
const NONE: ReadonlySet<string> = new Set();

function setOf(texts: readonly string[]): ReadonlySet<string> {
  return texts.length === 0 ? NONE : new Set(texts);
}

export function isSharedMailbox({ fullNames }: Facts): boolean {
  return fullNames.size > FULL_NAMES_MAX;
}

/** Null: nothing speaks for it. `elsewhere`: the two were never seen in one repository. */
export function bondBetween(a: Facts, b: Facts, where: "here" | "elsewhere"): Bond | null {
  if (a.id === b.id || isSharedMailbox(a) || isSharedMailbox(b)) return null;
  const evidence = [...evidenceBetween(a, b, where)];
  if (evidence.length === 0) return null;
  const personIds: [string, string] = a.id < b.id ? [a.id, b.id] : [b.id, a.id];
  return { personIds, score: scoreOf(evidence), evidence };
}

function* evidenceBetween(
  a: Facts,
  b: Facts,
  where: "here" | "elsewhere",
): Generator<EvidenceKind> {
  if (share(a.githubLogins, b.githubLogins)) yield "same-github-login";
  // A first name with its login says little about two who never met.
  if (where === "here" && share(a.loginNames, b.loginNames)) yield "same-login-and-name";
  if (!share(a.fullNames, b.fullNames)) return;
  yield where === "here" ? "same-full-name" : "same-full-name-elsewhere";
  if (share(a.domains, b.domains)) yield "same-domain";
}

function share(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  const [fewer, more] = some.size <= others.size ? [some, others] : [others, some];
  for (const one of fewer) if (more.has(one)) return true;
  return false;
}

/** Four digits: what is kept and compared must not depend on the order of a product. */
export function scoreOf(evidence: readonly EvidenceKind[]): number {
  const doubt = evidence.reduce((left, kind) => left * (1 - EVIDENCE_WEIGHTS[kind]), 1);
  return Math.round((1 - doubt) * 10_000) / 10_000;
}

/**
 * Bonds among the persons of one repository. Those who share something are each held against the first that has it,
 * so n of them give n − 1 bonds, not n². The same for any order of the history, as `all` is sorted by its caller.
 */
export function findBonds(all: readonly Facts[]): Bond[] {
  const bonds = new Map<string, Bond>();
  for (const [first, ...others] of sharersOf(all)) {
    if (first === undefined || others.length >= BEARERS_MAX) continue;
    for (const other of others) addBond(bonds, bondBetween(first, other, "here"));
  }
  return [...bonds.values()];
}

/** For each trait that several bear, all who do. Most traits have one bearer, and need no list. */
function sharersOf(all: readonly Facts[]): Iterable<Facts[]> {
  const first = new Map<string, Facts>();
  const sharers = new Map<string, Facts[]>();
  for (const facts of all) {
    if (isSharedMailbox(facts)) continue;
    for (const trait of traitsOf(facts)) {
      const owner = first.get(trait);
      if (owner === undefined) {
        first.set(trait, facts);
        continue;
      }
      const known = sharers.get(trait) ?? [owner];
      known.push(facts);
      sharers.set(trait, known);
    }
  }
  return sharers.values();
}

/** Also a name together with each domain: the first who has the name may be somebody of another company. */
function* traitsOf(facts: Facts): Generator<string> {
  for (const login of facts.githubLogins) yield `github:${login}`;
  for (const loginName of facts.loginNames) yield `login:${loginName}`;
  for (const name of facts.fullNames) {
    yield `name:${name}`;
    for (const domain of facts.domains) yield `name:${name} domain:${domain}`;
  }
}

function addBond(bonds: Map<string, Bond>, bond: Bond | null): void {
  if (bond !== null) bonds.set(bond.personIds.join(" "), bond);
}
