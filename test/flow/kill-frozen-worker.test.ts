/** A worker that is frozen is as good as dead to the others, and must not come back to life as if nothing was. */
import { describe, expect, it, vi } from "vitest";
import type { Database } from "../../src/store/database.js";
import { isAlive } from "../support/service.js";
import {
  allDone,
  ask,
  enqueueScores,
  type Ground,
  passed,
  withGround,
} from "../support/service-ground.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 120_000 });

interface Victim {
  readonly id: string;
  readonly pid: number;
}

/** Frozen while it holds jobs. */
async function freezeBusyWorker(db: Database): Promise<Victim & { readonly held: number[] }> {
  for (;;) {
    const [victim] = await ask<Victim>(
      db,
      `SELECT w.id, w.pid FROM workers w JOIN jobs j ON j.worker_id = w.id
       WHERE w.status = 'alive' AND j.status = 'running' LIMIT 1`,
    );
    if (!victim) continue;
    process.kill(victim.pid, "SIGSTOP");
    // What it had sent before may still arrive: what nobody else has touched by the end of the lease counts.
    const held = await ask<{ seq: number }>(
      db,
      "SELECT seq FROM jobs WHERE worker_id = $1 AND status = 'running'",
      [victim.id],
    );
    if (held.length > 0) return { ...victim, held: held.map(({ seq }) => seq) };
    process.kill(victim.pid, "SIGCONT");
  }
}

function rowsOf(db: Database, seqs: readonly number[]) {
  return ask(db, "SELECT * FROM jobs WHERE seq = ANY ($1) ORDER BY seq", [seqs]);
}

describe("a worker that is frozen for longer than its lease", () => {
  it("loses its jobs to others; thawed it changes nothing, ends, and is replaced", () => {
    const test = async ({ db, repoId, service }: Ground) => {
      await enqueueScores(db, repoId, 100);
      await passed(db, 10);
      const victim = await freezeBusyWorker(db);
      await allDone(db);
      const before = await rowsOf(db, victim.held);
      expect(await ask(db, "SELECT status FROM workers WHERE id = $1", [victim.id])).toEqual([
        { status: "dead" },
      ]);
      const healed = await ask<{ job_id: string }>(
        db,
        "SELECT job_id FROM healdec_log WHERE worker_id = $1 AND failure_type = 'crash' AND success",
        [`score-worker-${victim.id.split("-").at(-1)}`],
      );
      expect(healed.length).toBeGreaterThan(0);

      process.kill(victim.pid, "SIGCONT");
      await until(() => !isAlive(victim.pid), "it ends");
      expect(await rowsOf(db, victim.held)).toEqual(before);
      await until(
        () =>
          service()
            .logged("process.died")
            .some(({ worker_id }) => worker_id === victim.id),
        "its end is noticed",
      );
      await until(async () => {
        const alive = await ask<Victim>(db, "SELECT id, pid FROM workers WHERE status = 'alive'");
        return alive.filter(({ pid }) => isAlive(pid)).length === 3;
      }, "another takes its place");
    };
    return withGround(test, { sharesServer: true });
  });
});
