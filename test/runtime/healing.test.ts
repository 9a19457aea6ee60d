import { describe, expect, it } from "vitest";
import { fault } from "../../src/base/fault.js";
import { Type } from "../../src/base/type.js";
import type { Database } from "../../src/store/database.js";
import { readHealingOfJob } from "../../src/store/healing.js";
import { cancelJob, retryJob } from "../../src/store/job-actions.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { readSafeMode } from "../../src/store/safe-mode.js";
import { withDatabase } from "../support/database.js";
import { type TestWorker, type TestWorkerWishes, withWorker } from "./support/worker.js";

function withHealing(
  wishes: TestWorkerWishes,
  test: (worker: TestWorker, db: Database) => Promise<void>,
): Promise<void> {
  return withDatabase((db, url) => withWorker({ db, url }, wishes, (worker) => test(worker, db)));
}

const failing = (error: () => Error) => ({
  kind: "index",
  run: async () => {
    throw error();
  },
});

describe("healing with real rows", () => {
  it("retries a transient failure with growing gaps until it passes, and says that it helped", async () => {
    let tries = 0;
    const flaky = {
      kind: "index",
      run: async () => {
        tries += 1;
        if (tries < 3) throw fault.transient("FLAKY", `no luck ${tries}`);
        return { tries };
      },
    };
    await withHealing({ handlers: [flaky], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.completed", id);
      expect(await readJob(db, seq)).toMatchObject({ attempts: 3, result: { tries: 3 } });
      const rows = await readHealingOfJob(db, id);
      expect(
        rows.map(({ context, ...row }) => [row.strategy, row.attemptNumber, row.success]),
      ).toEqual([
        ["retry", 1, false],
        ["retry", 2, true],
      ]);
      expect(rows.map(({ context }) => context.backoff_ms)).toEqual([20, 40]);
      expect(rows[0]?.workerId).toBe(`index-worker-${worker.id.split("-").at(-1)}`);
      expect(Object.keys(rows[0]?.context ?? {}).sort()).toEqual([
        "backoff_ms",
        "error",
        "next_retry_at",
      ]);
    });
  });

  it("fails a job whose attempts are exhausted, with the time it ended (HB-db-09)", async () => {
    const wishes = {
      handlers: [failing(() => fault.transient("DOWN", "still down"))],
      kinds: [{ kind: "index", attemptsMax: 2 }],
    };
    await withHealing(wishes, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.failed", id);
      const job = await readJob(db, seq);
      expect(job).toMatchObject({ status: "failed", error: "DOWN: still down", attempts: 2 });
      expect(job?.completedAt).not.toBeNull();
      const rows = await readHealingOfJob(db, id);
      expect(rows.map(({ strategy, success }) => [strategy, success])).toEqual([["retry", false]]);
    });
  });

  it("quarantines bad data, tells the operators, and runs it again after the payload is corrected", async () => {
    const picky = {
      kind: "index",
      payload: Type.Object({ repo_id: Type.String() }),
      run: async () => null,
    };
    await withHealing({ handlers: [picky], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: { repo_id: 7 } });
      await worker.seen("job.quarantined", id);
      expect(await readJob(db, seq)).toMatchObject({
        status: "quarantined",
        error: "PAYLOAD_INVALID: /repo_id must be string",
      });
      expect(await readHealingOfJob(db, id)).toMatchObject([
        { failureType: "data", strategy: "quarantine", success: true, operatorNotified: true },
      ]);
      expect(worker.words).toMatchObject([{ audience: "operator", key: `${id}/quarantine` }]);

      // HB-sql-09: an operator's plain SQL.
      await db.query(
        `UPDATE jobs SET payload = jsonb_set(payload, '{repo_id}', '"r-1"'), status = 'pending', attempts = 0, error = NULL WHERE id = $1`,
        [id],
      );
      await worker.seen("job.completed", id);
    });
  });

  it("rolls a half-done job back in reverse, then fails it", async () => {
    const undone: unknown[] = [];
    const half = {
      kind: "index",
      run: async (context: Parameters<TestWorkerWishes["handlers"][0]["run"]>[0]) => {
        await context.compensateWith("unwrite", { step: 1 });
        await context.compensateWith("unwrite", { step: 2 });
        throw fault.partial("HALF_DONE", "stopped before step 3");
      },
      compensations: {
        unwrite: async ({ step }: { step?: unknown }) => {
          undone.push(step);
        },
      },
    };
    await withHealing({ handlers: [half], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.failed", id);
      expect(undone).toEqual([2, 1]);
      expect(await readJob(db, seq)).toMatchObject({ status: "failed" });
      expect(await readHealingOfJob(db, id)).toMatchObject([
        { failureType: "partial", strategy: "rollback", success: true, operatorNotified: false },
      ]);
      expect(worker.words).toEqual([]);
    });
  });

  it("says when a rollback failed, undoes the rest, and tells the operators", async () => {
    const undone: unknown[] = [];
    const half = {
      kind: "index",
      run: async (context: Parameters<TestWorkerWishes["handlers"][0]["run"]>[0]) => {
        await context.compensateWith("easy", {});
        await context.compensateWith("hard", {});
        throw fault.partial("HALF_DONE", "stopped");
      },
      compensations: {
        easy: async () => {
          undone.push("easy");
        },
        hard: async () => {
          throw new Error("the door is locked");
        },
      },
    };
    await withHealing({ handlers: [half], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.failed", id);
      expect(undone).toEqual(["easy"]);
      const job = await readJob(db, seq);
      expect(job?.error).toBe("HALF_DONE: stopped (not undone: hard: the door is locked)");
      expect(await readHealingOfJob(db, id)).toMatchObject([
        { strategy: "rollback", success: false, operatorNotified: true },
      ]);
      expect(worker.words).toMatchObject([{ audience: "operator" }]);
    });
  });

  it("escalates a critical failure: page, safe mode, and other kinds wait (HB-heal-05, X-13)", async () => {
    const repair = { kind: "repair", run: async () => null };
    const handlers = [failing(() => fault.critical("DISK_GONE", "no disk")), repair];
    await withHealing({ handlers, kinds: [] }, async (worker, db) => {
      const { id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("safe-mode.entered");
      expect(await readHealingOfJob(db, id)).toMatchObject([
        { failureType: "critical", strategy: "escalate", success: true, operatorNotified: true },
      ]);
      expect(worker.words).toMatchObject([{ audience: "critical", severity: "sev1" }]);
      expect(await readSafeMode(db)).toMatchObject({ active: true, enteredBy: "healdec" });

      const waits = await enqueueJob(db, { kind: "index", payload: {} });
      const runs = await enqueueJob(db, { kind: "repair", payload: {} });
      await worker.seen("job.completed", runs.id);
      expect(await readJob(db, waits.seq)).toMatchObject({ status: "pending" });
    });
  });

  it("burns no attempt while a dependency asks to wait (X-16)", async () => {
    let asked = 0;
    const limited = {
      kind: "index",
      run: async () => {
        asked += 1;
        if (asked === 1) throw fault.waiting("RATE_LIMITED", "pause", { retryAfterMs: 1_000 });
        return null;
      },
    };
    await withHealing({ handlers: [limited], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.completed", id);
      expect(await readJob(db, seq)).toMatchObject({ attempts: 1 });
      expect(await readHealingOfJob(db, id)).toEqual([]);
    });
  });

  it("with healing off a failing job just fails, and nothing is logged (HB-env-11)", async () => {
    const wishes = {
      handlers: [failing(() => fault.transient("DOWN", "down"))],
      kinds: [],
      healing: { enabled: false },
    };
    await withHealing(wishes, async (worker, db) => {
      const { id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.failed", id);
      expect(await readHealingOfJob(db, id)).toEqual([]);
    });
  });

  it("keeps secrets out of the error column", async () => {
    const wishes = {
      handlers: [failing(() => fault.data("BAD", "login hunter2-hunter2 refused"))],
      kinds: [],
    };
    await withHealing(wishes, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.quarantined", id);
      expect(await readJob(db, seq)).toMatchObject({ error: "BAD: login [redacted] refused" });
    });
  });

  it("quarantines a job whose result no database can hold, and completes its neighbours", async () => {
    const odd = {
      kind: "index",
      run: async ({ job }: { job: { payload: { odd?: unknown } } }) => ({
        text: job.payload.odd ? "\u0000" : "fine",
      }),
    };
    await withHealing({ handlers: [odd], kinds: [] }, async (worker, db) => {
      const bad = await enqueueJob(db, { kind: "index", payload: { odd: true } });
      const good = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.quarantined", bad.id);
      await worker.seen("job.completed", good.id);
      expect((await readJob(db, bad.seq))?.error).toContain("RESULT_UNSTORABLE");
    });
  });
});

describe("a handler that throws what cannot be told", () => {
  const broken = (name: "message" | "stack") =>
    Object.defineProperty(new Error("odd"), name, {
      get: () => {
        throw new Error(`no ${name}`);
      },
    });

  it.each([
    ["an object without a prototype", Object.create(null), "cannot be told"],
    ["an error without a message", broken("message"), "cannot be told"],
    ["an error without a stack", broken("stack"), "odd"],
  ])("fails its job alone: %s", async (_, thrown, told) => {
    const odd = failing(() => thrown as Error);
    const kinds = [{ kind: "index", attemptsMax: 1 }];
    await withHealing({ handlers: [odd], kinds }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.failed", id);
      expect((await readJob(db, seq))?.error).toContain(told);
    });
  });
});

describe("a server that cannot write for a moment", () => {
  it.each(["58030", "XX000", "42501"])(
    "with %s takes no finished job for one that cannot be kept",
    async (state) => {
      const index = { kind: "index", run: async () => ({ answer: 42 }) };
      await withHealing({ handlers: [index], kinds: [] }, async (worker, db) => {
        await db.query(`CREATE SEQUENCE tries;
          CREATE FUNCTION ill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') <= 4 THEN RAISE EXCEPTION 'ill' USING ERRCODE = '${state}'; END IF;
            RETURN NEW; END $$;
          CREATE TRIGGER ill BEFORE UPDATE ON jobs FOR EACH ROW
            WHEN (NEW.status = 'completed') EXECUTE FUNCTION ill()`);
        const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
        await worker.seen("job.completed", id);
        expect(await readJob(db, seq)).toMatchObject({
          ...{ status: "completed", attempts: 1, result: { answer: 42 } },
        });
      });
    },
  );
});

describe("a job that is no longer ours", () => {
  it("is aborted when a person cancels it, and its handler changes nothing (X-79)", async () => {
    const obedient = {
      kind: "index",
      run: ({ signal }: { signal: AbortSignal }) =>
        new Promise<null>((resolve) => {
          signal.addEventListener("abort", () => resolve(null));
        }),
    };
    await withHealing({ handlers: [obedient], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.claimed", id);
      await cancelJob(db, { seq, actor: "test", reason: "not needed" });
      await worker.seen("job.lost", id);
      expect(await readJob(db, seq)).toMatchObject({ status: "cancelled", result: null });
    });
  });

  it("runs again after a forced retry, and the late finisher is counted", async () => {
    let release = () => {};
    let runs = 0;
    const slow = {
      kind: "index",
      run: async () => {
        runs += 1;
        const mine = runs;
        if (mine === 1) {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        }
        return { run: mine };
      },
    };
    await withHealing({ handlers: [slow], kinds: [] }, async (worker, db) => {
      const { seq, id } = await enqueueJob(db, { kind: "index", payload: {} });
      await worker.seen("job.claimed", id);
      await retryJob(db, { seq, actor: "test", force: true });
      await worker.seen("job.completed", id);
      release();
      await worker.seen("job.lost", id);
      expect(await readJob(db, seq)).toMatchObject({ status: "completed", result: { run: 2 } });
    });
  });
});
