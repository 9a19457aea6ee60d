/** The repositories that a stand-in organisation has, and by which names each of them was ever known. */

export interface StandInOrgRepo {
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  readonly private: boolean;
  readonly fork: boolean;
  readonly archived: boolean;
  readonly disabled: boolean;
  /** Kilobytes. */
  readonly size: number;
  readonly defaultBranch: string;
  /** Null: nobody has pushed yet. */
  readonly pushedAt: Date | null;
  readonly updatedAt: Date;
  /** Where git serves it; null: at the stand-in's own address, where nobody does. */
  readonly cloneUrl: string | null;
  /** In GitHub's form, newest change first. */
  readonly pulls: readonly object[];
  readonly releases: readonly object[];
}

export type NewStandInRepo = Pick<StandInOrgRepo, "name"> & Partial<StandInOrgRepo>;

const FIRST_ID = 1_000;

export class StandInOrgRepos {
  readonly #org: string;
  readonly #now: () => Date;
  readonly #repos = new Map<number, StandInOrgRepo>();
  /** `owner/name` in small letters, also of long ago, to the repository's id. */
  readonly #names = new Map<string, number>();
  #ids = FIRST_ID;

  constructor(org: string, now: () => Date) {
    this.#org = org;
    this.#now = now;
  }

  all(): readonly StandInOrgRepo[] {
    return [...this.#repos.values()];
  }

  /** By name, as `GET /orgs/{org}/repos` sorts them. */
  ofOwner(owner: string): StandInOrgRepo[] {
    return this.all()
      .filter((repo) => repo.owner.toLowerCase() === owner.toLowerCase())
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  byId(id: number): StandInOrgRepo | null {
    return this.#repos.get(id) ?? null;
  }

  /** Also by a name that it had: `isFormer` then. */
  byName(
    owner: string,
    name: string,
  ): { readonly repo: StandInOrgRepo; readonly isFormer: boolean } | null {
    const repo = this.byId(this.#names.get(key(owner, name)) ?? 0);
    if (repo === null) return null;
    return { repo, isFormer: key(repo.owner, repo.name) !== key(owner, name) };
  }

  add(repo: NewStandInRepo): StandInOrgRepo {
    const now = this.#now();
    const added: StandInOrgRepo = {
      ...{ id: ++this.#ids, owner: this.#org, private: true, fork: false, archived: false },
      ...{ disabled: false, size: 100, defaultBranch: "main", pushedAt: now, updatedAt: now },
      ...{ cloneUrl: null, pulls: [], releases: [] },
      ...repo,
    };
    this.#keep(added);
    return added;
  }

  rename(name: string, to: string): void {
    this.#keep({ ...this.#own(name), name: to, updatedAt: this.#now() });
  }

  transfer(name: string, owner: string): void {
    this.#keep({ ...this.#own(name), owner, updatedAt: this.#now() });
  }

  remove(name: string): void {
    this.#repos.delete(this.#own(name).id);
  }

  change(name: string, change: Partial<StandInOrgRepo>): void {
    this.#keep({ ...this.#own(name), updatedAt: this.#now(), ...change });
  }

  #keep(repo: StandInOrgRepo): void {
    this.#repos.set(repo.id, repo);
    this.#names.set(key(repo.owner, repo.name), repo.id);
  }

  #own(name: string): StandInOrgRepo {
    const found = this.ofOwner(this.#org).find((repo) => repo.name === name);
    if (found) return found;
    throw new Error(`the stand-in has no repository ${this.#org}/${name}: add it first`);
  }
}

function key(owner: string, name: string): string {
  return `${owner}/${name}`.toLowerCase();
}
