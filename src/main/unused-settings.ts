/** What is set and valid, and yet has no part in this version: said at start, so that nobody relies on it. */
import type { Config } from "../runtime/config.js";

/** Names of variables. */
export function unusedSettings(config: Config): string[] {
  const unused: readonly [string, boolean][] = [
    ["DATABASE_URL_REPLICA", config.database.replicaUrl !== null],
  ];
  return unused.filter(([, isSet]) => isSet).map(([name]) => name);
}
