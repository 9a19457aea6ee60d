/** The engine on a real database: order, records, and what becomes of an interrupted run. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import type { AwsWriter } from "../../src/runbook/aws-port.js";
import type { DatabaseWriter } from "../../src/runbook/database-port.js";
import type { ReadContext, Repeat, Runbook } from "../../src/runbook/define.js";
import type { RuntimeWriter, SystemWriter } from "../../src/runbook/port.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { verifyAudit } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { startRun } from "../../src/store/run-leases.js";
import { beginStep, finishStep, readSteps } from "../../src/store/run-steps.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  makeRegistry,
  makeRunbook,
  makeShell,
  queueRun,
  workOn,
} from "../support/runbook-world.js";

/** One database for all: each run has its own. */
let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
const onGround = (work: (db: Database) => Promise<void>) => work(lent.db);

async function auditActions(db: Database, target: string): Promise<string[]> {
  const { rows } = await db.query<{ action: string }>(
    "SELECT action FROM audit_log WHERE target = $1 ORDER BY seq",
    [target],
  );
  return rows.map(({ action }) => action);
}

/** As it is when nobody has renewed it for long enough. */
async function endLease(db: Database, id: string): Promise<void> {
  await db.query("UPDATE control.run SET lease_until = now() WHERE id = $1", [id]);
}

const PLAN = { phase: "plan", ordinal: 0, name: "plan" } as const;
const ACT = { phase: "act", ordinal: 0, name: "act" } as const;

/** All that changes anything; a port that gains a writer must name it here. */
const WRITES: Readonly<
  Record<
    keyof RuntimeWriter | keyof DatabaseWriter | keyof SystemWriter | keyof AwsWriter | "run",
    true
  >
> = {
  ...{
    submitJob: true,
    retryJob: true,
    pauseQueue: true,
    resumeQueue: true,
    rerunFailed: true,
    cancelJob: true,
  },
  ...{ correctJob: true, prioritize: true, restorePriorities: true, endSession: true },
  ...{ backup: true, removeBackup: true, restoreInto: true, dropRestored: true },
  ...{ exitSafeMode: true, enterSafeMode: true, resetBreaker: true, openBreaker: true },
  ...{ openIncident: true, closeIncident: true, reopenIncident: true, keepIncidentLog: true },
  ...{ noteTemporary: true, endTemporary: true, setUserPassword: true, testLogin: true },
  ...{ testGitHubToken: true, revokeGitHubToken: true, newSecret: true },
  ...{ updateService: true, registerRevision: true, stopTask: true, runTask: true },
  ...{ setLimits: true, putSecret: true, promoteSecret: true, createSecret: true },
  ...{ readSecret: true, createSnapshot: true, setCacheToken: true, putObjects: true },
  ...{ deleteObjects: true, invalidate: true },
  run: true,
};

describe("a run", () => {
  test("plans, acts and verifies, and every step has its record and its audit row", () =>
    onGround(async (db) => {
      const order: string[] = [];
      const runbook = makeRunbook("fix", {
        plan: async () => {
          order.push("plan");
          return { text: "found it", changes: ["turn it off", "turn it on"], facts: { n: 7 } };
        },
        steps: [
          {
            name: "off",
            repeat: "safe",
            run: async ({ shell, say, plan }) => {
              order.push(`off ${plan.facts?.n}`);
              say("switching");
              await shell.run(["switch", "off"]);
              return { text: "it is off", value: { was: "on" } };
            },
          },
          {
            name: "on",
            repeat: "safe",
            run: async ({ resultOf }) => {
              order.push(`on ${JSON.stringify(resultOf("off"))}`);
              return "it is on";
            },
          },
        ],
        verify: {
          withinMs: () => 5_000,
          everyMs: 1,
          check: async () => {
            order.push("verify");
            const isDone = order.filter((it) => it === "verify").length === 3;
            return { state: isDone ? "passed" : "waiting", text: "it glows" };
          },
        },
      });
      const registry = makeRegistry({
        ...runbook,
        touches: { database: [], programs: ["switch"] },
      });
      const shell = makeShell();
      const id = await queueRun(db, registry, "fix");

      expect(await workOn({ db, registry, shell }, id)).toMatchObject({ status: "succeeded" });

      expect(order).toEqual(["plan", "off 7", 'on {"was":"on"}', "verify", "verify", "verify"]);
      expect(shell.commands).toEqual(["switch off"]);
      const run = await readRun(db, id);
      expect(run).toMatchObject({
        status: "succeeded",
        outcome: "it glows",
        output: { text: "off: it is off\non: it is on" },
        plan: { text: "found it", changes: ["turn it off", "turn it on"] },
      });
      const steps = await readSteps(db, run!.seq);
      expect(steps.map(({ phase, name, status }) => `${phase} ${name} ${status}`)).toEqual([
        "plan plan succeeded",
        "act off succeeded",
        "act on succeeded",
        "verify verify succeeded",
      ]);
      expect(steps[1]?.output).toBe("switching\n$ switch off\n(exit 0 after 1 ms)\nit is off");
      expect(await auditActions(db, id)).toEqual([
        "run.requested",
        "run.step-succeeded",
        "run.step-succeeded",
        "run.step-succeeded",
        "run.step-succeeded",
        "run.succeeded",
      ]);
      expect(await verifyAudit(db)).toMatchObject({ ok: true });
    }));

  test("that is dry only plans, and says what would happen", () =>
    onGround(async (db) => {
      const registry = makeRegistry(
        makeRunbook("fix", {
          steps: [
            {
              name: "act",
              repeat: "safe",
              run: async () => {
                throw new Error("a dry run must not come here");
              },
            },
          ],
        }),
      );
      const id = await queueRun(db, registry, "fix", { dryRun: true });
      await workOn({ db, registry }, id);
      expect(await readRun(db, id)).toMatchObject({
        status: "succeeded",
        outcome: "dry run: nothing was changed",
        output: { text: "all is well\nwould change something" },
      });
    }));

  test("hands its plan, and a runbook that only reads, nothing that writes", () =>
    onGround(async (db) => {
      const handed: Record<string, string[]> = {};
      const keysOf = (context: ReadContext<JsonObject>) =>
        [context.runtime, context.database, context.system, context.aws, context.shell]
          .flatMap((port) => Object.keys(port))
          .filter((key) => key in WRITES)
          .sort();
      const watch = (name: string, danger: Runbook["danger"]) =>
        makeRunbook(name, {
          danger,
          plan: async (context) => {
            handed[`${name} plan`] = keysOf(context);
            return { text: "", changes: [] };
          },
          steps: [
            {
              name: "act",
              repeat: "safe",
              run: async (context) => {
                handed[`${name} act`] = keysOf(context);
                return "";
              },
            },
          ],
        });
      const registry = makeRegistry(watch("reads", "R"), watch("writes", "V"));
      for (const name of ["reads", "writes"])
        await workOn({ db, registry }, await queueRun(db, registry, name));
      expect(handed).toEqual({
        "reads plan": [],
        "reads act": [],
        "writes plan": [],
        "writes act": Object.keys(WRITES).sort(),
      });
    }));

  test("whose plan wants to write through the reading shell fails before anything ran", () =>
    onGround(async (db) => {
      const shell = makeShell();
      const registry = makeRegistry(
        makeRunbook("sly", {
          plan: async (context) => {
            await context.shell.read(["rm", "-rf", "/"]);
            return { text: "", changes: [] };
          },
        }),
      );
      const id = await queueRun(db, registry, "sly");
      await workOn({ db, registry, shell }, id);
      expect(await readRun(db, id)).toMatchObject({
        status: "failed",
        outcome: expect.stringContaining('"rm" is not known to change nothing'),
      });
      expect(shell.commands).toEqual([]);
    }));

  test("whose step fails stops there, and says which step and why", () =>
    onGround(async (db) => {
      const registry = makeRegistry(
        makeRunbook("fix", {
          steps: [
            { name: "first", repeat: "safe", run: async () => "fine" },
            {
              name: "second",
              repeat: "safe",
              run: async () => {
                throw new Error("the switch is stuck");
              },
            },
            { name: "third", repeat: "safe", run: async () => "never" },
          ],
        }),
      );
      const id = await queueRun(db, registry, "fix");
      await workOn({ db, registry }, id);
      const run = await readRun(db, id);
      expect(run).toMatchObject({
        status: "failed",
        outcome: 'step "second" failed: the switch is stuck',
        output: { text: "fine" },
      });
      const steps = await readSteps(db, run!.seq);
      expect(steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
        "plan succeeded",
        "first succeeded",
        "second failed",
      ]);
    }));

  test("that ended well but did not help has failed: verify decides", () =>
    onGround(async (db) => {
      const registry = makeRegistry(
        makeRunbook("fix", {
          verify: {
            withinMs: () => 20,
            everyMs: 5,
            check: async () => ({ state: "waiting", text: "12 jobs still wait" }),
          },
        }),
      );
      const id = await queueRun(db, registry, "fix");
      await workOn({ db, registry }, id);
      expect(await readRun(db, id)).toMatchObject({
        status: "failed",
        outcome: "12 jobs still wait",
      });
    }));
});

describe("after a crash", () => {
  /** As a killed executor leaves it: taken, planned, and one step begun. */
  async function interrupt(db: Database, id: string): Promise<void> {
    const run = (await startRun(db, id))!;
    await beginStep(db, run, PLAN);
    await db.transaction((tx) =>
      finishStep(tx, run, PLAN, { status: "succeeded", output: "", result: { text: "" } }),
    );
    await beginStep(db, run, ACT);
    await endLease(db, id);
  }

  const interrupted = async (db: Database, repeat: Repeat<JsonObject>) => {
    let ranCount = 0;
    const registry = makeRegistry(
      makeRunbook("fix", {
        steps: [
          {
            name: "act",
            repeat,
            run: async () => {
              ranCount++;
              return "acted";
            },
          },
        ],
      }),
    );
    const id = await queueRun(db, registry, "fix");
    await interrupt(db, id);
    await workOn({ db, registry }, id);
    const run = (await readRun(db, id))!;
    return { ranCount, run, steps: await readSteps(db, run.seq) };
  };

  test("a step that is safe to repeat is repeated", () =>
    onGround(async (db) => {
      const { ranCount, run } = await interrupted(db, "safe");
      expect(ranCount).toBe(1);
      expect(run.status).toBe("succeeded");
    }));

  test("a step that is never to be repeated stalls the run, and is called indeterminate", () =>
    onGround(async (db) => {
      const { ranCount, run, steps } = await interrupted(db, "never");
      expect(ranCount).toBe(0);
      expect(run).toMatchObject({
        status: "stalled",
        outcome: expect.stringContaining("unknown whether it took effect"),
      });
      expect(steps.find(({ phase }) => phase === "act")?.status).toBe("indeterminate");
    }));

  test.each([
    ["done", 0, "succeeded"],
    ["not-done", 1, "succeeded"],
    ["unknown", 0, "stalled"],
  ] as const)(
    "a step whose check says %s runs %i times, and the run has %s",
    (effect, times, status) =>
      onGround(async (db) => {
        const { ranCount, run } = await interrupted(db, { check: async () => effect });
        expect(ranCount).toBe(times);
        expect(run.status).toBe(status);
      }),
  );

  test("a finished step is not run again, and its value is known to later steps", () =>
    onGround(async (db) => {
      const ran: string[] = [];
      const abort = new AbortController();
      const registry = makeRegistry(
        makeRunbook("fix", {
          steps: [
            {
              name: "first",
              repeat: "never",
              run: async () => {
                ran.push("first");
                return { text: "done", value: 41 };
              },
            },
            {
              name: "second",
              repeat: "safe",
              run: async ({ resultOf, signal }) => {
                ran.push(`second ${resultOf("first")}`);
                if (ran.length === 2) {
                  abort.abort(new Error("shutdown"));
                  signal.throwIfAborted();
                }
                return "done";
              },
            },
          ],
        }),
      );
      const id = await queueRun(db, registry, "fix");
      await expect(workOn({ db, registry }, id, abort.signal)).rejects.toThrow("shutdown");
      expect(await readRun(db, id)).toMatchObject({ status: "running" });
      await workOn({ db, registry }, id);
      expect(ran).toEqual(["first", "second 41", "second 41"]);
      expect(await readRun(db, id)).toMatchObject({ status: "succeeded" });
    }));

  test("an executor that was overtaken changes nothing", () =>
    onGround(async (db) => {
      const registry = makeRegistry(makeRunbook("overtake"));
      const id = await queueRun(db, registry, "overtake");
      const late = (await startRun(db, id))!;
      await beginStep(db, late, ACT);
      expect(await startRun(db, id)).toBeNull();
      await endLease(db, id);
      const next = (await startRun(db, id))!;
      expect(next.fence).toBe(late.fence + 1);
      const attempt = db.transaction((tx) =>
        finishStep(tx, late, ACT, { status: "succeeded", output: "too late" }),
      );
      await expect(attempt).rejects.toMatchObject({ kind: "waiting", code: "RUN_LOST" });
      expect((await readSteps(db, late.seq))[0]).toMatchObject({ status: "running", output: "" });
    }));

  test("another version of the runbook does not take over", () =>
    onGround(async (db) => {
      const registry = makeRegistry(makeRunbook("fix"));
      const [fresh, begun] = [
        await queueRun(db, registry, "fix", { params: { note: "a" } }),
        await queueRun(db, registry, "fix", { params: { note: "b" } }),
      ];
      await interrupt(db, begun);
      const { runbook } = registry.find("fix")!;
      const changed = new RunbookRegistry([{ runbook, contentHash: "another" }]);
      await workOn({ db, registry: changed }, fresh);
      await workOn({ db, registry: changed }, begun);
      expect(await readRun(db, fresh)).toMatchObject({
        status: "failed",
        outcome: expect.stringMatching(/has changed since .* ask again: nothing was done/),
      });
      expect(await readRun(db, begun)).toMatchObject({ status: "stalled" });
    }));
});
