/** Starting twice, starting where nothing can be kept, and being told to stop in the midst of work. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { isAlive, launchService, startService, stopService } from "../support/service.js";
import { ask, enqueueScores, passed, withGround } from "../support/service-ground.js";
import { withHome } from "../support/service-home.js";
import { until } from "../support/until.js";

vi.setConfig({ testTimeout: 120_000 });

describe("a second service", () => {
  it("on the same home stands by, and leads when the first is killed", () =>
    withHome(async (home) => {
      const first = await startService({ home });
      const second = await startService({ home });
      const leads = ({ logged }: typeof first) =>
        logged("lease.taken").some(({ lease }) => lease === "orchestrator");
      try {
        await until(() => leads(first), "the first leads");
        for (const { url } of [first, second]) {
          await until(
            async () => (await fetch(`${url}/health`)).status === 200,
            "both are healthy",
          );
        }
        expect(leads(second)).toBe(false);
        first.kill("SIGKILL");
        await until(() => leads(second), "the second leads", 40_000);
        expect((await fetch(`${second.url}/health`)).status).toBe(200);
      } finally {
        first.kill("SIGKILL");
        await stopService(second);
      }
    }));

  it("on the same port is told so in one sentence, and the first is unharmed", () =>
    withHome(async (home) => {
      const first = await startService({ home });
      try {
        const port = new URL(first.url).port;
        const second = launchService({ home, args: ["--port", port] });
        expect(await second.exited).toEqual({ code: 1, signal: null });
        await second.allGone;
        expect(second.said).toEqual([
          `serve: another process listens on 127.0.0.1:${port}`,
          "hint: stop it, or choose another port with --port or PORT",
        ]);
        await until(
          async () => (await fetch(`${first.url}/health`)).status === 200,
          "it is healthy",
        );
      } finally {
        await stopService(first);
      }
    }));
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

describe("Ctrl-C under load", () => {
  it("comes twice under npm, drains once, and leaves no job half done", () =>
    withGround(async ({ db, repoId, service }) => {
      await enqueueScores(db, repoId, 200);
      await passed(db, 20);
      const pids = (await ask<{ pid: number }>(db, "SELECT pid FROM workers")).map(
        ({ pid }) => pid,
      );
      // The embedded server goes with the last who uses it: what it knew is in the log by then.
      service().kill("SIGINT");
      service().kill("SIGINT");
      expect(await service().exited).toEqual({ code: 0, signal: null });
      await service().allGone;
      expect(pids.filter(isAlive)).toEqual([]);
      expect(service().said.filter((line) => line.startsWith("draining"))).toHaveLength(1);
      const count = (event: string) => service().logged(event).length;
      expect(count("worker.stopped")).toBe(3);
      expect(count("job.failed") + count("healdec.acted") + count("job.lost")).toBe(0);
    }));
});
