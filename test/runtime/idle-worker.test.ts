/** A worker with nothing to do sleeps; and is no later for it when there is. */
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { withDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { type TestKind, withWorker } from "./support/worker.js";

/** Real time, and how often it was asked to pause for so long. */
function countingClock() {
  const pauses = new Map<number, number>();
  const clock: Clock = {
    now: () => systemClock.now(),
    sleep: (ms, signal) => {
      pauses.set(ms, (pauses.get(ms) ?? 0) + 1);
      return systemClock.sleep(ms, signal);
    },
  };
  return { clock, pauses };
}

/** How long it ran until it was told to stop. */
function endless() {
  const ran: number[] = [];
  const handler: TestKind = {
    kind: "index",
    run: ({ signal }) => {
      const startedMs = performance.now();
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          ran.push(performance.now() - startedMs);
          reject(signal.reason);
        }),
      );
    },
  };
  return { handler, ran };
}

const TIMEOUT_MS = 700;
const kinds = [{ kind: "index", timeoutMs: TIMEOUT_MS, attemptsMax: 1, concurrency: 1 }];

describe("an idle worker", () => {
  it("looks for what is overdue no more often than something could be", async () => {
    const { clock, pauses } = countingClock();
    const { handler } = endless();
    await withDatabase((db, url) =>
      withWorker({ db, url }, { handlers: [handler], kinds, clock }, async () => {
        const looks = () => pauses.get(TIMEOUT_MS) ?? 0;
        // Polls begin with such pauses too.
        const short = () => pauses.get(100) ?? 0;
        await until(() => looks() >= 2, "it has begun");
        const before = short();
        await until(() => looks() >= 4, "it has looked twice");
        expect(short()).toBe(before);
      }),
    );
  });

  it("keeps the time-out of a job that comes when it has just looked", async () => {
    const { clock, pauses } = countingClock();
    const { handler, ran } = endless();
    await withDatabase((db, url) =>
      withWorker({ db, url }, { handlers: [handler], kinds, clock }, async ({ seen }) => {
        for (let job = 1; job <= 2; job++) {
          const looks = pauses.get(TIMEOUT_MS) ?? 0;
          await until(() => (pauses.get(TIMEOUT_MS) ?? 0) > looks, "it has just looked");
          const { id } = await enqueueJob(db, { kind: "index", payload: {} });
          await seen("job.failed", id);
        }
        // 100 ms of ours, and as much for a machine that is busy.
        expect(Math.min(...ran)).toBeGreaterThanOrEqual(TIMEOUT_MS - 1);
        expect(Math.max(...ran)).toBeLessThan(TIMEOUT_MS + 200);
      }),
    );
  });
});
