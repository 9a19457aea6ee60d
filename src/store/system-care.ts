/**
 * What runbooks may know and do of the system around the jobs: its health, safe mode, breakers. How a thing is
 * examined and left belongs to the runtime, which hands that in; here it is bound to one run's reach and name.
 */
import { randomBytes } from "node:crypto";
import { fault } from "../base/fault.js";
import { makeSecretValue } from "../base/secret-kinds.js";
import type { DependencyView, Finding, SystemReader, SystemWriter } from "../runbook/port.js";
import type { Database } from "./database.js";
import { type Dependency, listDependencies } from "./dependencies.js";
import { createIncidentReader, createIncidentWriter, type IncidentWays } from "./incident-care.js";
import { type BrokenInvariant, findBrokenInvariants } from "./invariants.js";
import { enterSafeMode } from "./safe-mode.js";
import {
  endTemporaryChange,
  listTemporaryChanges,
  noteTemporaryChange,
} from "./temporary-changes.js";

export interface SystemLooks {
  /** Everything that can be examined, through this database. Never rejects for what it finds. */
  diagnose(db: Database, signal: AbortSignal): Promise<readonly Finding[]>;
  /** Whether a dependency answers, past its breaker and without leaving a trace there. */
  probe(
    dependency: string,
    signal: AbortSignal,
  ): Promise<{ readonly ok: boolean; readonly found: string }>;
  criticalPaths: SystemReader["criticalPaths"];
}

interface Order {
  readonly by: string;
  readonly reason: string;
}

export interface SystemOrders
  extends IncidentWays,
    Pick<SystemWriter, "testGitHubToken" | "revokeGitHubToken"> {
  leaveSafeMode(
    db: Database,
    order: Order,
  ): Promise<
    | { readonly outcome: "left" | "was-off" }
    | { readonly outcome: "checks-failed"; readonly broken: readonly BrokenInvariant[] }
  >;
  /** Null: nobody has called that dependency yet. */
  resetBreaker(
    db: Database,
    order: Order & { readonly dependency: string },
  ): Promise<readonly string[] | null>;
  openBreaker(
    db: Database,
    order: Order & { readonly dependency: string; readonly forMs: number },
  ): Promise<void>;
}

export function createSystemReader(db: Database, looks: SystemLooks): SystemReader {
  return {
    diagnose: (signal) => looks.diagnose(db, signal),
    brokenInvariants: async () =>
      (await findBrokenInvariants(db)).map(({ invariant, count }) => ({ invariant, count })),
    dependencies: async () => (await listDependencies(db)).map(viewOf),
    probe: (dependency, signal) => looks.probe(dependency, signal),
    criticalPaths: (signal) => looks.criticalPaths(signal),
    temporaryChanges: () => listTemporaryChanges(db),
    ...createIncidentReader(db),
  };
}

function viewOf({ name, breaker, stats, changedAt, changedBy }: Dependency): DependencyView {
  const failures = Math.round(stats.calls * (1 - (stats.successRate ?? 1)));
  const { state, reason, nextAt: until, gateUntil } = breaker;
  return { name, state, reason, failures, until, gateUntil, since: changedAt, by: changedBy };
}

/** @param by in whose name: the actor of the run */
export function createSystemWriter(db: Database, by: string, orders: SystemOrders): SystemWriter {
  return {
    exitSafeMode: async ({ reason }) => {
      const left = await orders.leaveSafeMode(db, { by, reason });
      if (left.outcome !== "checks-failed") return;
      throw fault.refused("SAFE_MODE_CHECKS_FAILED", describeBroken(left.broken), {
        hint: "see: algobrain doctor; an administrator can overrule the checks over the API",
      });
    },
    enterSafeMode: async ({ reason }) => {
      await enterSafeMode(db, { reason, by });
    },
    resetBreaker: async ({ dependency, reason }) => {
      if ((await orders.resetBreaker(db, { by, reason, dependency })) !== null) return;
      throw fault.refused("DEPENDENCY_UNKNOWN", `nothing has called ${dependency} yet`);
    },
    openBreaker: ({ dependency, forMs, reason }) =>
      orders.openBreaker(db, { by, reason, dependency, forMs }),
    newSecret: (kind) => makeSecretValue(kind, randomBytes),
    testGitHubToken: (token, signal) => orders.testGitHubToken(token, signal),
    revokeGitHubToken: (token, signal) => orders.revokeGitHubToken(token, signal),
    noteTemporary: (request) =>
      db.transaction((tx) => noteTemporaryChange(tx, { ...request, owner: by })),
    endTemporary: (request) => db.transaction((tx) => endTemporaryChange(tx, { ...request, by })),
    ...createIncidentWriter(db, by, orders),
  };
}

function describeBroken(broken: readonly BrokenInvariant[]): string {
  const claims = broken.map(({ invariant, count }) => `${invariant} (${count} rows)`);
  return `the data is not whole: ${claims.join(", ")}`;
}
