/**
 * Who is one person with whom, by all that is known: bonds within a repository, and namesakes elsewhere. Strong bonds
 * merge, weaker ones become hints for a person to decide, and whom a person has parted no evidence joins again.
 */
import type { Sql } from "../store/database.js";
import { FORGOTTEN_ID } from "../store/forgotten.js";
import { findNamesakes, resolveIdentities } from "../store/identities.js";
import { dropSettledHints, type Hint, putHints } from "../store/identity-hints.js";
import { listApart, mergeIdentity } from "../store/identity-merges.js";
import { type Bond, bondBetween, type Facts, factsOf } from "./evidence.js";
import type { People } from "./people.js";

export interface JoinRules {
  /** 0–1: see workload.yaml, people. */
  readonly mergeAt: number;
  readonly hintAt: number;
  readonly jobSeq: number;
}

export interface Joined {
  readonly merged: number;
  readonly hinted: number;
  /** Who stands for each person of the repository. */
  readonly standing: ReadonlyMap<string, string>;
}

/** `fresh`: persons of whom something new was read; only they are looked for elsewhere. */
export async function joinPeople(
  tx: Sql,
  people: People,
  fresh: ReadonlySet<string>,
  rules: JoinRules,
): Promise<Joined> {
  const ids = people.persons.map(({ id }) => id);
  const groups = createGroups(await resolveIdentities(tx, ids));
  const facts = people.facts.filter(({ id }) => fresh.has(id));
  const elsewhere = await findBondsElsewhere(tx, facts, [...ids, ...groups.roots()]);
  groups.keepApart(await listApart(tx, groups.roots()));
  const bonds = [...people.bonds, ...elsewhere].filter(({ score }) => score >= rules.hintAt);
  bonds.sort((a, b) => b.score - a.score || compare(a.personIds.join(" "), b.personIds.join(" ")));
  const merged = await mergeByBonds(tx, bonds, groups, rules);
  const hints = hintsOf(bonds, groups, rules);
  await putHints(tx, hints);
  await dropSettledHints(tx, merged);
  return { merged: merged.length, hinted: hints.length, standing: groups.standing(ids) };
}

async function findBondsElsewhere(
  tx: Sql,
  facts: readonly Facts[],
  known: readonly string[],
): Promise<Bond[]> {
  const byName = new Map<string, Facts[]>();
  for (const one of facts)
    for (const name of one.fullNames) byName.set(name, [...(byName.get(name) ?? []), one]);
  if (byName.size === 0) return [];
  const namesakes = await findNamesakes(tx, [...byName.keys()], known);
  return namesakes.flatMap((namesake) => {
    const other = factsOf(namesake.id, [namesake]);
    return [...other.fullNames]
      .flatMap((name) => byName.get(name) ?? [])
      .map((one) => bondBetween(one, other, "elsewhere"))
      .filter((bond) => bond !== null);
  });
}

/** Of one repository at a time, about 10 s in which nobody else can merge. The most certain go first; more is a flood. */
const MERGES_MAX = 10_000;

/** Returns the identities that were merged into another. */
async function mergeByBonds(
  tx: Sql,
  bonds: readonly Bond[],
  groups: Groups,
  { mergeAt, jobSeq }: JoinRules,
): Promise<string[]> {
  const merged: string[] = [];
  for (const { personIds, score, evidence } of bonds) {
    if (score < mergeAt || merged.length >= MERGES_MAX) break;
    const pair = groups.pairOf(personIds);
    if (pair === null) continue;
    // The smaller id always stays, so the order in which repositories are read does not matter.
    const [targetId, identityId] = pair;
    const reason = evidence.join("+");
    const merge = { identityId, targetId, reason, score, evidence, jobSeq };
    if ((await mergeIdentity(tx, merge)) !== "merged") continue;
    groups.join(identityId, targetId);
    merged.push(identityId);
  }
  return merged;
}

/** The strongest for each pair that is still two. `bonds` come strongest first. */
function hintsOf(bonds: readonly Bond[], groups: Groups, { mergeAt }: JoinRules): Hint[] {
  const hints = new Map<string, Hint>();
  for (const { personIds, score, evidence } of bonds) {
    const pair = groups.pairOf(personIds);
    if (score >= mergeAt || pair === null || hints.has(pair.join(" "))) continue;
    hints.set(pair.join(" "), { a: pair[0], b: pair[1], score, evidence });
  }
  return [...hints.values()];
}

/** Who stands for whom while merges go on; the caller holds the lock under which nobody else merges. */
interface Groups {
  roots(): string[];
  keepApart(pairs: readonly (readonly [string, string])[]): void;
  /** Who stands for the two, smaller id first; null when they are one already, or may not become it. */
  pairOf(personIds: readonly [string, string]): readonly [string, string] | null;
  join(identityId: string, targetId: string): void;
  standing(ids: readonly string[]): Map<string, string>;
}

function createGroups(known: ReadonlyMap<string, string>): Groups {
  const parents = new Map(known);
  let apart: readonly (readonly [string, string])[] = [];
  const find = (id: string): string => {
    let at = id;
    for (let up = parents.get(at); up !== undefined && up !== at; up = parents.get(at)) at = up;
    return at;
  };
  const isApart = (a: string, b: string) =>
    apart.some(([x, y]) => {
      const [rootX, rootY] = [find(x), find(y)];
      return (rootX === a && rootY === b) || (rootX === b && rootY === a);
    });
  return {
    roots: () => [...new Set([...parents.keys()].map(find))],
    keepApart: (pairs) => {
      apart = pairs;
    },
    pairOf: ([one, other]) => {
      const [a, b] = [find(one), find(other)];
      if (a === b || a === FORGOTTEN_ID || b === FORGOTTEN_ID || isApart(a, b)) return null;
      return a < b ? [a, b] : [b, a];
    },
    join: (identityId, targetId) => {
      parents.set(identityId, targetId);
    },
    standing: (ids) => new Map(ids.map((id) => [id, find(id)])),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
