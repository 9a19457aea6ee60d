/** Who asks at a terminal, and which access policy judges it. */
import { readPublished } from "../main/policy.js";
import type { Access } from "../policy/policy.js";
import type { Actor } from "../runbook/authorize.js";
import { findPerson } from "../runbook/identity.js";
import type { Database } from "../store/database.js";
import type { CommandIo } from "./command.js";

export interface Asker {
  readonly actor: Actor;
  readonly access: Access;
}

/**
 * Whoever holds the database holds everything in it: for nobody in access.yaml the role says no more than that. A
 * person who is in it (`subjects: ["cli:ann"]`) has that person's role, and may ask for what others must agree to.
 */
export async function askerOf(db: Database, io: CommandIo): Promise<Asker> {
  const { set } = await readPublished(db);
  const { access } = set;
  const person = findPerson(access, { door: "cli", user: io.actor.replace(/^cli:/, "") });
  const role = person?.role ?? "admin";
  return { access, actor: { name: io.actor, role, door: "cli", person: person?.name ?? null } };
}
