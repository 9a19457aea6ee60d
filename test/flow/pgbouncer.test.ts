/** With a pooler that lends sessions by transaction in between, and no way past it, everything still works. */
import { describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import { openDatabase } from "../../src/store/database.js";
import { cancelJob } from "../../src/store/job-actions.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { migrate } from "../../src/store/migrate.js";
import { readMigrationFiles } from "../../src/store/migration-files.js";
import { type TestKind, withWorker } from "../runtime/support/worker.js";
import { createEmptyDatabase, withDatabase } from "../support/database.js";
import { NEEDS_PGBOUNCER, pgbouncerProgram, throughPgbouncer } from "../support/pgbouncer.js";
import { until } from "../support/until.js";

const pooled = (url: string) =>
  openDatabase({ url, poolMax: 5, applicationName: "pooled", ssl: false });

describe.skipIf(pgbouncerProgram === null)(`${NEEDS_PGBOUNCER} in transaction mode`, () => {
  it("a database is brought up to date by two at once, and again", async () => {
    const { url, drop } = await createEmptyDatabase();
    await throughPgbouncer(url, async (through) => {
      const files = await readMigrationFiles();
      const [one, other] = [pooled(through), pooled(through)];
      const reports = await Promise.all([migrate(one, files), migrate(other, files)]);
      const names = [...files.public, ...files.control].map(({ name }) => name);
      expect(reports.flatMap(({ applied }) => applied).sort()).toEqual(names.sort());
      expect((await migrate(one, files)).applied).toEqual([]);
      await Promise.all([one.close(), other.close()]);
    });
    await drop();
  });

  it("jobs run, are retried, cancelled and given back, and the worker beats", async () => {
    await withDatabase((direct, url) =>
      throughPgbouncer(url, async (through) => {
        const db = pooled(through);
        const tries = new Map<string, number>();
        const index: TestKind = {
          kind: "index",
          run: async ({ job, signal }) => {
            tries.set(job.id, (tries.get(job.id) ?? 0) + 1);
            if (job.payload.fails && tries.get(job.id) === 1) throw fault.transient("E", "once");
            if (job.payload.hold)
              await new Promise((_, no) => signal.addEventListener("abort", no));
            return { done: true };
          },
        };
        const wishes = { handlers: [index], pollMaxMs: 60_000 };
        await withWorker({ db, url: through }, wishes, async ({ seen }) => {
          const [held] = await enqueueJobs(db, [
            { kind: "index", payload: { hold: true } },
            ...Array.from({ length: 300 }, () => ({ kind: "index", payload: {} })),
          ]);
          const failing = await enqueueJob(db, { kind: "index", payload: { fails: true } });
          await seen("job.completed", failing.id);
          expect(await readJob(direct, failing.seq)).toMatchObject({ attempts: 2 });
          await until(async () => {
            const { rows } = await direct.query("SELECT FROM jobs WHERE status = 'completed'");
            return rows.length === 301;
          }, "all are done");
          await cancelJob(db, { seq: held!.seq, actor: "cli:ann", reason: "not wanted" });
          await seen("job.lost", held!.id);
        });
        await db.close();
      }),
    );
  });
});
