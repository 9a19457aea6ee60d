/** Real processes, really killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readStartedJobs, startedJobsPath } from "../../src/runtime/started-jobs.js";
import type { Database } from "../../src/store/database.js";
import { readHealingOfJob } from "../../src/store/healing.js";
import { enqueueJob, enqueueJobs, readJob } from "../../src/store/jobs.js";
import { listWorkers, type Worker } from "../../src/store/workers.js";
import { withDatabase } from "../support/database.js";
import { isAlive } from "../support/service.js";
import { until } from "../support/until.js";
import { readJournal } from "./support/told-handlers.js";

const ENTRY = fileURLToPath(new URL("./support/runtime-process.ts", import.meta.url));

/** The supervising process; its workers come and go with it. */
function startMain(url: string, deadAfterMs: number, evidenceDir: string): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", ENTRY, "main"], {
    env: {
      ...process.env,
      TEST_RUNTIME_DATABASE_URL: url,
      TEST_RUNTIME_DEAD_AFTER_MS: String(deadAfterMs),
      TEST_RUNTIME_EVIDENCE_DIR: evidenceDir,
      TEST_RUNTIME_JOURNAL: journalIn(evidenceDir),
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

const journalIn = (folder: string) => join(folder, "journal");

async function stopMain(main: ChildProcess): Promise<void> {
  if (main.exitCode !== null || main.signalCode !== null) return;
  const exited = new Promise((resolve) => main.once("exit", resolve));
  main.kill("SIGTERM");
  await exited;
}

interface Control {
  main(): ChildProcess;
  restart(): void;
  /** The worker in which the handler of this job has started: only then its death is the job's. */
  startedIn(seq: number): Promise<string>;
  /** What handlers have written down. */
  journal(): string[];
}

async function withRuntime(
  deadAfterMs: number,
  test: (db: Database, control: Control) => Promise<void>,
): Promise<void> {
  await withDatabase(async (db, url) => {
    const evidenceDir = await mkdtemp(join(tmpdir(), "algobrain-evidence-"));
    await writeFile(journalIn(evidenceDir), "");
    let main = startMain(url, deadAfterMs, evidenceDir);
    try {
      await test(db, {
        main: () => main,
        restart: () => {
          main = startMain(url, deadAfterMs, evidenceDir);
        },
        journal: () => readJournal(journalIn(evidenceDir)),
        startedIn: (seq) =>
          until(async () => {
            const holder = (await readJob(db, seq))?.workerId;
            if (!holder) return null;
            const started = await readStartedJobs(startedJobsPath(evidenceDir, holder));
            return started?.includes(seq) && holder;
          }, "the job runs"),
      });
    } finally {
      await stopMain(main);
      await rm(evidenceDir, { recursive: true, force: true });
    }
  });
}

async function alive(db: Database): Promise<Worker[]> {
  return (await listWorkers(db)).filter(({ status, pid }) => status === "alive" && runs(pid));
}

/** Where nobody buries them, the dead keep their numbers. */
function runs(pid: number | null): boolean {
  return pid !== null && isAlive(pid);
}

function twoAlive(db: Database): Promise<Worker[]> {
  return until(async () => {
    const workers = await alive(db);
    return workers.length === 2 && workers;
  }, "two workers are alive");
}

async function holderOf(db: Database, seq: number): Promise<number> {
  const holder = (await readJob(db, seq))?.workerId;
  const worker = (await listWorkers(db)).find(({ id }) => id === holder);
  expect(worker?.pid).toBeTypeOf("number");
  return worker!.pid!;
}

async function completed(db: Database): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*) AS count FROM jobs WHERE status = 'completed'",
  );
  return rows[0]!.count;
}

describe("processes that are killed", () => {
  it("a job whose worker is killed in its midst completes on another (HB-heal-02)", async () => {
    await withRuntime(40_000, async (db, { startedIn }) => {
      await twoAlive(db);
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: { hold: 1 } });
      const holder = await startedIn(seq);
      const victim = (await listWorkers(db)).find((worker) => worker.id === holder);
      const killedMs = performance.now();
      process.kill(victim!.pid!, "SIGKILL");
      await until(async () => (await readJob(db, seq))?.status === "completed", "it completes");
      const healedMs = performance.now() - killedMs;
      expect(await readHealingOfJob(db, id)).toMatchObject([
        {
          failureType: "crash",
          strategy: "restart",
          success: true,
          attemptNumber: 1,
          workerId: `index-worker-${holder.split("-").at(-1)}`,
        },
      ]);
      // At once through the supervisor, not after the lease of 40 s.
      expect(healedMs).toBeLessThan(20_000);
      expect((await listWorkers(db)).find((worker) => worker.id === holder)?.status).toBe("dead");
    });
  });

  it("each process killed in turn during 1,000 jobs: all complete, none is lost", async () => {
    await withRuntime(15_000, async (db, { main, restart }) => {
      const workers = await twoAlive(db);
      await enqueueJobs(
        db,
        Array.from({ length: 1_000 }, () => ({ kind: "index", payload: {} })),
      );
      await until(async () => (await completed(db)) > 50, "the run has begun");
      process.kill(workers[0]!.pid!, "SIGKILL");
      await until(async () => (await completed(db)) > 250, "the run goes on");
      process.kill(workers[1]!.pid!, "SIGKILL");
      await until(async () => (await completed(db)) > 450, "the run goes on");

      const orphans = await twoAlive(db);
      main().kill("SIGKILL");
      await until(
        () => orphans.every(({ pid }) => !runs(pid)),
        "the workers die with their parent",
      );
      restart();

      await until(async () => (await completed(db)) === 1_000, "all are completed", 60_000);
      const { rows } = await db.query("SELECT DISTINCT status FROM jobs");
      expect(rows).toEqual([{ status: "completed" }]);
    });
  }, 120_000);

  it("a worker that is frozen past its lease ends by itself when it thaws", async () => {
    await withRuntime(2_000, async (db) => {
      const [victim] = await twoAlive(db);
      process.kill(victim!.pid!, "SIGSTOP");
      await until(
        async () => (await listWorkers(db)).find(({ id }) => id === victim!.id)?.status === "dead",
        "others take it for dead",
      );
      process.kill(victim!.pid!, "SIGCONT");
      await until(() => !runs(victim!.pid), "it is gone");
    });
  });

  it("a job that is killed twice in its rollback is rolled back to its end, and does not run before", async () => {
    await withRuntime(40_000, async (db, { journal }) => {
      await twoAlive(db);
      const { seq, id } = await enqueueJob(db, { kind: "ingest", payload: { hangs: 2 } });
      for (const death of [1, 2]) {
        const begun = () => journal().filter((line) => line === "undo 2").length;
        await until(() => begun() === death, "its second act is being undone");
        process.kill(await holderOf(db, seq), "SIGKILL");
      }
      await until(async () => (await readJob(db, seq))?.status === "failed", "it ends");
      expect(journal()).toEqual([
        ...["run", "undo 3", "undone 3"],
        ...["undo 2", "undo 2", "undo 2", "undone 2", "undo 1", "undone 1"],
      ]);
      expect(await readJob(db, seq)).toMatchObject({
        error: "HALF_DONE: stopped before step 4",
        attempts: 1,
      });
      const { rows } = await db.query("SELECT crash_count, attempts_total FROM jobs");
      expect(rows).toEqual([{ crash_count: 2, attempts_total: 3 }]);
      const healing = await readHealingOfJob(db, id);
      expect(
        healing.map(({ failureType, strategy, success }) => [failureType, strategy, success]),
      ).toEqual([
        ["crash", "restart", false],
        ["crash", "restart", false],
        ["partial", "rollback", true],
      ]);
    });
  });

  it("a handler that is deaf to a shutdown keeps its job until its process is gone, and pays nothing", async () => {
    await withRuntime(40_000, async (db, { journal, startedIn }) => {
      await twoAlive(db);
      const { seq } = await enqueueJob(db, { kind: "export", payload: {} });
      const holder = await startedIn(seq);
      const stoppedMs = performance.now();
      const pid = await holderOf(db, seq);
      process.kill(pid, "SIGTERM");
      await until(async () => (await readJob(db, seq))?.status === "completed", "it runs again");
      // Drain of 1 s, grace of 2 s, and no lease of 40 s.
      expect(performance.now() - stoppedMs).toBeLessThan(20_000);
      expect(journal()).toEqual([
        `pid ${pid} beside 0`,
        expect.stringMatching(/^pid \d+ beside 0$/),
      ]);
      const { rows } = await db.query(
        "SELECT attempts, attempts_total, crash_count, (SELECT count(*) FROM healdec_log) AS healed FROM jobs",
      );
      expect(rows).toEqual([{ attempts: 1, attempts_total: 2, crash_count: 0, healed: 0 }]);
      expect((await listWorkers(db)).find(({ id }) => id === holder)?.status).toBe("dead");
    });
  });
});
