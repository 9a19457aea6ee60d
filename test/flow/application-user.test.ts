/** The whole program as production runs it: its database user owns no table (HB-aws-24, decision 0062). */
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { DAY_MS } from "../../src/base/duration.js";
import type { JsonObject } from "../../src/base/json.js";
import { verifyAudit } from "../../src/store/audit.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { listSampleDaysBefore } from "../../src/store/sample-partitions.js";
import { bin } from "../cli/support.js";
import { makeRepository, withFolder } from "../support/git-repository.js";
import { type ReadyService, startService, stopService } from "../support/service.js";
import { withHome } from "../support/service-home.js";
import { createTwoUsers, type TwoUsers } from "../support/two-users.js";
import { until } from "../support/until.js";

interface Scene {
  readonly users: TwoUsers;
  readonly service: ReadyService;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

async function withScene(work: (scene: Scene) => Promise<void>): Promise<void> {
  const users = await createTwoUsers();
  try {
    await withHome((home) =>
      withFolder(async (folder) => {
        const service = await startService({ home, databaseUrl: users.applicationUrl });
        const env = { DATABASE_URL: users.applicationUrl, ALGOBRAIN_HOME: home };
        try {
          await work({ users, service, folder, env });
        } finally {
          await stopService(service);
        }
      }),
    );
  } finally {
    await users.drop();
  }
}

/** What it came to; fails the test at once when it did not complete. */
async function complete({ users: { application } }: Scene, kind: string, payload: JsonObject) {
  const { seq } = await enqueueJob(application, { kind, payload });
  const job = await until(
    async () => {
      const found = await readJob(application, seq);
      if (found && ["failed", "quarantined", "cancelled"].includes(found.status))
        throw new Error(`${kind} ${JSON.stringify(payload)}: ${found.status}: ${found.error}`);
      return found?.status === "completed" ? found : null;
    },
    `${kind} ${JSON.stringify(payload)} is completed`,
    60_000,
  );
  return job.result;
}

const OLD = "now() - interval '500 days'";

test("as a user that owns no table, every kind of work is done, runs are bounded, and the chain fits", async () => {
  await withScene(async (scene) => {
    const { users, service, folder, env } = scene;
    const { application, admin } = users;
    const repo = join(folder, "widgets");
    const at = "2026-06-01T09:00:00Z";
    await makeRepository(repo, [{ author: "Ada <ada@example.org>", at }]);
    await application.query(
      `INSERT INTO public.jobs (job_type, status, created_at, completed_at) VALUES ('score', 'completed', ${OLD}, ${OLD});
       DELETE FROM control.sample_default`,
    );

    // The workload: repository, people, score.
    await complete(scene, "index", { path: repo });
    await until(
      async () => (await application.query("SELECT FROM public.scores")).rowCount === 1,
      "the repository has a score",
      60_000,
    );
    // The care of the system itself.
    expect(await complete(scene, "gc", { dry_run: false })).toMatchObject({});
    expect(
      (
        await application.query(
          "SELECT FROM public.jobs WHERE completed_at < now() - interval '400 days'",
        )
      ).rowCount,
    ).toBe(0);
    await Promise.all([
      complete(scene, "audit", {}),
      complete(scene, "export", { entity: "events" }),
    ]);
    await complete(scene, "repair", { repair_type: "rebuild_indexes" });
    await complete(scene, "maintenance", { task: "partitions" });
    const days = await listSampleDaysBefore(
      application,
      new Date(systemClock.now().getTime() + 9 * DAY_MS),
    );
    expect(days.length).toBeGreaterThanOrEqual(7);
    for (const task of ["vacuum", "analyze", "report", "backup"])
      expect(JSON.stringify(await complete(scene, "maintenance", { task }))).not.toContain(
        "left_undone",
      );
    expect(await complete(scene, "maintenance", { task: "restore-test" })).toMatchObject({
      counted: true,
      wrong: [],
    });
    await complete(scene, "maintenance", {});

    // A runbook of danger V, as a role of its own that the user without tables made.
    const paused = await bin(["runbook", "run", "pause-queue", "score"], {
      env,
      timeoutMs: 60_000,
    });
    expect(paused).toMatchObject({ code: 0 });
    expect((await application.query("SELECT FROM control.queue_pause")).rowCount).toBe(1);
    expect(service.logged("run.unbounded")).toEqual([]);
    const { rows: caps } = await admin.query(
      "SELECT rolname FROM pg_roles WHERE rolname ~ '_cap_queues_pause_' AND rolname LIKE 'algobrain\\_' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '\\_%'",
    );
    expect(caps).toHaveLength(1);

    // Alerts are evaluated and samples written by whoever leads.
    await until(
      async () =>
        (await application.query("SELECT FROM control.sample_round")).rowCount > 0 &&
        (await application.query("SELECT FROM control.alert_clock")).rowCount > 0,
      "samples are written and alerts are judged",
      60_000,
    );
    expect(await verifyAudit(application)).toMatchObject({ ok: true });
    // What other tests left on this server is another user's.
    const refused = service.log.filter(
      (entry) =>
        entry.event !== "run.role-left" &&
        /permission denied|must be owner|42501/.test(JSON.stringify(entry)),
    );
    expect(refused).toEqual([]);
  });
}, 240_000);
