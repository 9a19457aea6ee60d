/** Our own policies as a repository holds them. */
import { SHIPPED } from "../policy/shipped.js";

/** Path from the root of the repository → text. */
export function readPolicyFiles(): Record<string, string> {
  return Object.fromEntries(SHIPPED.map(({ path, text }) => [path, text]));
}
