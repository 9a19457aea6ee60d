/**
 * What a runbook may touch, declared beside its steps. The platform enforces it: a database role with these
 * rights for the time of the run, and a session policy of these actions.
 */
export const CAPABILITIES = [
  "jobs:read",
  "jobs:retry",
  "jobs:cancel",
  "jobs:correct",
  "jobs:prioritize",
  "queues:pause",
  "sessions:read",
  "sessions:end",
  "tables:read",
  "database:dump",
  "database:restore",
  "safe-mode:exit",
  "breakers:reset",
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** One statement of a session policy (STS). Resources are ARNs of one's own account; `*` alone is refused. */
export interface AwsPermission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

export interface Touches {
  readonly database: readonly Capability[];
  /** Programs that its steps may run through the shell, besides those that only read. */
  readonly programs?: readonly string[];
  readonly aws?: readonly AwsPermission[];
}

export const TOUCHES_NOTHING: Touches = { database: [] };

/** What an executor works with for one run: opened before the first step, closed after the last. */
export interface RunPower {
  /** `algobrain_<database>_run_…`; null: this server gives us no roles, and the environment is local. */
  readonly role: string | null;
  readonly enforced: boolean;
}
