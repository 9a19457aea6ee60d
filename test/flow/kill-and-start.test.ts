/** Starting twice, starting where nothing can be kept, and being told to stop in the midst of work. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { lendToFile } from "../support/lend.js";
import { isAlive, launchService, type ReadyService } from "../support/service.js";
import { ask, enqueueScores, passed, withGround } from "../support/service-ground.js";
import { withHome } from "../support/service-home.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 120_000 });

describe("a second service", () => {
  const ground = lendToFile(withGround);
  const leads = ({ logged }: ReadyService) =>
    logged("lease.taken").some(({ lease }) => lease === "orchestrator");
  const isHealthy = ({ url }: ReadyService) =>
    until(async () => (await fetch(`${url}/health`)).status === 200, "it is healthy");

  it("on the same port is told so in one sentence, and the first is unharmed", async () => {
    const { home, service: first } = ground();
    const port = new URL(first().url).port;
    const second = launchService({ home, args: ["--port", port] });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    await second.allGone;
    expect(second.said).toEqual([
      `serve: another process listens on 127.0.0.1:${port}`,
      "hint: stop it, or choose another port with --port or PORT",
    ]);
    await isHealthy(first());
  });

  it("on the same home stands by, and leads when the first is killed", async () => {
    const { service, restart } = ground();
    const first = service();
    try {
      // Nobody has stopped the first.
      await restart();
      await until(() => leads(first), "the first leads");
      await Promise.all([first, service()].map(isHealthy));
      expect(leads(service())).toBe(false);
    } finally {
      first.kill("SIGKILL");
    }
    await until(() => leads(service()), "the second leads", 40_000);
    expect((await fetch(`${service().url}/health`)).status).toBe(200);
    await first.allGone;
  });

  it("that gets Ctrl-C under load, twice as under npm, drains once and leaves no job half done", async () => {
    const { db, repoId, service } = ground();
    await enqueueScores(db, repoId, 200);
    await passed(db, 20);
    const workers = await until(async () => {
      const alive = await ask<{ pid: number }>(
        db,
        "SELECT pid FROM workers WHERE status = 'alive'",
      );
      return alive.length === 4 && alive;
    }, "the workers of the first are known to be gone");
    // The embedded server goes with the last who uses it: what it knew is in the log by then.
    service().kill("SIGINT");
    service().kill("SIGINT");
    expect(await service().exited).toEqual({ code: 0, signal: null });
    await service().allGone;
    expect(workers.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(service().said.filter((line) => line.startsWith("draining"))).toHaveLength(1);
    const count = (event: string) => service().logged(event).length;
    expect(count("worker.stopped")).toBe(4);
    expect(count("job.failed") + count("healdec.acted") + count("job.lost")).toBe(0);
  });
});

describe("a home that cannot be used", () => {
  it("is refused in one sentence before anything starts", () =>
    withHome(async (folder) => {
      const home = join(folder, "home");
      writeFileSync(home, "a file");
      const service = launchService({ home });
      expect(await service.exited).toEqual({ code: 1, signal: null });
      expect(service.said).toEqual([
        `serve: ALGOBRAIN_HOME: found ${home}, but it is not a folder (EEXIST)`,
        expect.stringContaining("hint: set ALGOBRAIN_HOME"),
      ]);
      expect(service.log).toEqual([]);
    }));
});
