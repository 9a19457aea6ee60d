/** The repository that a job names, as long as there is something of it to read on this machine. */
import { fault } from "../base/fault.js";
import type { RepoPlace } from "../job/port.js";
import type { Sql } from "../store/database.js";
import { findRepo, type LocalRepo } from "../store/repos.js";

/** Throws a data fault `REPO_UNKNOWN`, and `REPO_NOT_LOCAL` when no copy of it is on this machine. */
export async function findLocalRepo(sql: Sql, repoId: string): Promise<LocalRepo> {
  const repo = await findRepo(sql, repoId);
  if (repo === null)
    throw fault.data("REPO_UNKNOWN", `there is no repository with the id "${repoId}"`, {
      hint: "correct repo_id in the payload, or index the folder that holds it",
    });
  if (repo.location === null)
    throw fault.data("REPO_NOT_LOCAL", `no copy of ${repo.name} (${repo.id}) is on this machine`, {
      hint: "index a folder that holds a clone of it",
    });
  return { ...repo, location: repo.location };
}

/** A row of before roots were kept: the repository itself is all that it may reach. */
export function placeOf({ location, root }: LocalRepo): RepoPlace {
  return { path: location, root: root ?? location };
}
