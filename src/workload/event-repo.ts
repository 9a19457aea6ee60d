/** The row that an event of GitHub speaks of, also when it bears the new name of a repository that we know by its old one. */
import type { JsonObject } from "../base/json.js";
import type { Sql } from "../store/database.js";
import { addAliases, matchRepos } from "../store/repo-aliases.js";
import { eventRepo, formerName } from "./github-event.js";
import { decideId, toLookup } from "./repo-name.js";

export interface EventRepo {
  /** Of a repository that has no row yet, the id that it will have. */
  readonly id: string;
  /** The name that the event brings us; null: we know the row by its own. */
  readonly newName: string | null;
}

/** Null: the event speaks of no repository. */
export async function findEventRepo(
  sql: Sql,
  eventType: string,
  body: JsonObject,
): Promise<EventRepo | null> {
  const name = eventRepo(body);
  if (name === null) return null;
  const former = formerName(eventType, body);
  const names = former === null ? [name] : [name, former];
  const [match, formerMatch] = await matchRepos(sql, names.map(toLookup));
  const isKnown = match!.byGithubId !== null || match!.byName !== null;
  const formerId = formerMatch?.byName ?? null;
  if (isKnown || formerId === null) return { id: decideId(name, match!), newName: null };
  return { id: formerId, newName: name.canonical };
}

/** Only a name that nobody bears: GitHub's own listing says whose it is, an event may be late. */
export async function keepNewName(tx: Sql, { id, newName }: EventRepo): Promise<void> {
  if (newName === null) return;
  await addAliases(tx, [{ canonical: newName, repoId: id }], { authoritative: false });
}
