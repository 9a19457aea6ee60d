/** Who is this? A Slack identity is team and user, never a display name. */
import type { Access, Person } from "../policy/policy.js";

/** Null: nobody in access.yaml. */
export function findSlackPerson(access: Access, team: string, user: string): Person | null {
  const identity = `${team}/${user}`;
  return access.people.find(({ slack }) => slack.includes(identity)) ?? null;
}
