import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import type { ChildProgram } from "../../src/runtime/child.js";
import type { RuntimeEvent } from "../../src/runtime/events.js";
import { createSupervisor, type Supervisor } from "../../src/runtime/supervisor.js";
import { until } from "../support/until.js";

function program(name: string, code: string): ChildProgram {
  return { name, argv: [process.execPath, "-e", code], env: process.env };
}

async function withSupervisor(
  programs: readonly ChildProgram[],
  test: (supervisor: Supervisor, events: RuntimeEvent[], gone: string[]) => Promise<void>,
): Promise<void> {
  const events: RuntimeEvent[] = [];
  const gone: string[] = [];
  const supervisor = createSupervisor({
    programs,
    onWorkerGone: async (workerId, { forced }) => {
      gone.push(`${workerId}${forced ? ", by us" : ""}`);
    },
    clock: systemClock,
    log: silentLogger,
    emit: (event) => events.push(event),
    random: () => 0.5,
    graceMs: 300,
  });
  supervisor.start();
  try {
    await test(supervisor, events, gone);
  } finally {
    await supervisor.stop();
  }
}

const REGISTER = `process.send({ kind: "worker.registered", workerId: "general-worker-9" });`;
const STAY = "setInterval(() => {}, 1000);";

function delays(events: readonly RuntimeEvent[]): number[] {
  return events.flatMap((one) => (one.event === "process.restart-delayed" ? [one.delay_ms] : []));
}

describe("the supervisor", () => {
  it("starts a dead program again, with growing delays while it dies young", async () => {
    await withSupervisor([program("crasher", "process.exit(3)")], async (_supervisor, events) => {
      await until(() => delays(events).length >= 3, "it died three times");
      expect(delays(events).slice(0, 3)).toEqual([200, 400, 800]);
      expect(events.find(({ event }) => event === "process.died")).toMatchObject({
        name: "crasher",
        exit_code: 3,
        worker_id: null,
      });
    });
  });

  it("says which worker is gone as soon as its process is", async () => {
    const child = program("worker", REGISTER + STAY);
    await withSupervisor([child], async (supervisor, _events, gone) => {
      const first = await until(
        () => supervisor.children().find(({ workerId }) => workerId !== null),
        "the worker is known",
      );
      process.kill(first.pid, "SIGKILL");
      await until(() => gone.length === 1, "its end is told");
      expect(gone).toEqual(["general-worker-9"]);
      await until(
        () => supervisor.children().some(({ pid }) => pid !== first.pid),
        "another takes its place",
      );
    });
  });

  it("kills what does not end in time, and starts nothing after its stop", async () => {
    const deaf = program("deaf", `process.on("SIGTERM", () => {}); ${REGISTER} ${STAY}`);
    await withSupervisor([deaf], async (supervisor, events, gone) => {
      await until(() => supervisor.children()[0]?.workerId, "it runs and is deaf");
      await supervisor.stop();
      expect(gone).toEqual(["general-worker-9, by us"]);
      expect(supervisor.children()).toEqual([]);
      const exits = events.filter(({ event }) => event === "process.ended");
      expect(exits).toMatchObject([{ signal: "SIGKILL" }]);
    });
  });

  it("tells a program that cannot be started like one that died", async () => {
    const missing: ChildProgram = { name: "missing", argv: ["/no/such/program"], env: {} };
    await withSupervisor([missing], async (_supervisor, events) => {
      await until(() => delays(events).length > 0, "its end is noticed");
      expect(events.find(({ event }) => event === "process.died")).toMatchObject({
        exit_code: null,
        signal: null,
      });
    });
  });
});
