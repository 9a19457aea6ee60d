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
const POLL_MS = 200;
const kinds = [{ kind: "index", timeoutMs: TIMEOUT_MS, attemptsMax: 1, concurrency: 1 }];

describe("an idle worker", () => {
  it("looks for what is overdue no more often than something could be", async () => {
    const { clock, pauses } = countingClock();
    const { handler } = endless();
    await withDatabase((db, url) =>
      withWorker(
        { db, url },
        { handlers: [handler], kinds, clock, pollMaxMs: POLL_MS },
        async () => {
          const looks = () => pauses.get(TIMEOUT_MS) ?? 0;
          // Polls begin with such pauses too, until they hear of new jobs; and now and then a tick is just so far away.
          const short = () => pauses.get(100) ?? 0;
          const polls = () => pauses.get(POLL_MS) ?? 0;
          await until(() => looks() >= 2 && polls() > 0, "it has begun");
          const before = short();
          await until(() => looks() >= 4, "it has looked twice");
          expect(short() - before).toBeLessThan(4);
        },
      ),
    );
  });

  it("keeps the time-out of a job that comes when it has just looked", async () => {
    const { clock, pauses } = countingClock();
    const { handler, ran } = endless();
    await withDatabase((db, url) =>
      withWorker({ db, url }, { handlers: [handler], kinds, clock }, async ({ seen }) => {
        for (let job = 1; job <= 3; job++) {
          const looks = pauses.get(TIMEOUT_MS) ?? 0;
          await until(() => (pauses.get(TIMEOUT_MS) ?? 0) > looks, "it has just looked");
          const { id } = await enqueueJob(db, { kind: "index", payload: {} });
          await seen("job.failed", id);
        }
        // On a busy machine a handler begins a while after its job, and a look is late: but not each of three.
        expect(Math.max(...ran), ran.join(", ")).toBeGreaterThan(0.9 * TIMEOUT_MS);
        // Without a look of its own each takes 2 s and more.
        expect(Math.min(...ran), ran.join(", ")).toBeLessThan(TIMEOUT_MS + 1_000);
      }),
    );
  });

  it("gives back the room that it looked with, and wakes nobody by it who did not wait for it", async () => {
    const [one, other] = [countingClock(), countingClock()];
    const { handler } = endless();
    const limited = {
      handlers: [handler],
      kinds: [{ kind: "index", globalMax: 1 }],
      pollMaxMs: 800,
    };
    await withDatabase((db, url) =>
      withWorker({ db, url }, { ...limited, clock: one.clock }, () =>
        withWorker({ db, url }, { ...limited, clock: other.clock }, async () => {
          // Pauses double from poll to poll, and begin anew with each hint.
          const isQuiet = ({ pauses }: typeof one) => (pauses.get(800) ?? 0) >= 3;
          await until(() => isQuiet(one) && isQuiet(other), "both poll seldom");
          const granted = async () => {
            const { rows } = await db.query<{ granted: number }>(
              "SELECT sum(granted)::int AS granted FROM control.capacity WHERE scope = 'index'",
            );
            return rows[0]!.granted;
          };
          await until(async () => (await granted()) === 0, "the room is free");
        }),
      ),
    );
  });
});
