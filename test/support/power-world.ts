/** A database with runs whose power is opened for real: roles, grants and all. */
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { Danger } from "../../src/policy/policy.js";
import type { Capability } from "../../src/runbook/power.js";
import type { Run } from "../../src/runbook/run.js";
import { type OpenedPower, openPower, type PowerDeps } from "../../src/runtime/executor/power.js";
import type { Database } from "../../src/store/database.js";
import { sweepRunRoles } from "../../src/store/run-role.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase } from "./database.js";

/** How the database's refusal is told. */
export const REFUSED = {
  kind: "refused",
  code: "POWER_EXCEEDED",
  details: { sqlstate: "42501" },
} as const;

export const declare = (database: readonly Capability[], danger: Danger = "V") => ({
  name: "made-up",
  danger,
  touches: { database },
});

export interface PowerWorld {
  readonly db: Database;
  readonly url: string;
  deps(more?: Partial<PowerDeps>): PowerDeps;
  /** A row that says it runs, under fence 1. */
  startedRun(more?: { readonly dryRun?: boolean }): Promise<Run>;
  withPower<T>(
    capabilities: readonly Capability[],
    work: (opened: OpenedPower, run: Run) => Promise<T>,
  ): Promise<T>;
  /** The number of a job of kind `index` that failed. */
  failedJob(): Promise<number>;
  statusOf(job: number): Promise<string | undefined>;
  roleExists(name: string | null): Promise<boolean>;
  close(): Promise<void>;
}

export async function createPowerWorld(): Promise<PowerWorld> {
  const { db, url, drop } = await createTestDatabase();
  const deps: PowerWorld["deps"] = (more = {}) => ({
    ...{ db, directUrl: url, ssl: false, environment: "production" },
    ...{ log: silentLogger, clock: systemClock },
    ...more,
  });
  const startedRun: PowerWorld["startedRun"] = async (more = {}) => {
    const { rows } = await db.query<{ id: string }>(
      `INSERT INTO control.run (runbook, actor, role, door, content_hash, dry_run, status, fence, started_at)
       VALUES ('made-up', 'ann', 'operator', 'cli', 'hash', $1, 'running', 1, now()) RETURNING id`,
      [more.dryRun ?? false],
    );
    return (await readRun(db, rows[0]!.id))!;
  };
  return {
    ...{ db, url, deps, startedRun },
    withPower: async (capabilities, work) => {
      const run = await startedRun();
      const opened = await openPower(deps(), run, declare(capabilities));
      try {
        return await work(opened, run);
      } finally {
        await opened.close();
      }
    },
    failedJob: async () => {
      const { rows } = await db.query<{ seq: number }>(
        "INSERT INTO public.jobs (job_type, status, error, completed_at) VALUES ('index', 'failed', 'broken', now()) RETURNING seq",
      );
      return rows[0]!.seq;
    },
    statusOf: async (job) => {
      const { rows } = await db.query<{ status: string }>(
        "SELECT status FROM public.jobs WHERE seq = $1",
        [job],
      );
      return rows[0]?.status;
    },
    roleExists: async (name) => {
      const { rowCount } = await db.query("SELECT FROM pg_roles WHERE rolname = $1", [name]);
      return rowCount === 1;
    },
    close: async () => {
      await db.query("UPDATE control.run SET status = 'failed'");
      await sweepRunRoles(db);
      await drop();
    },
  };
}
