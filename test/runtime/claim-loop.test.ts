/** Whoever says that there may be jobs is followed by a claim that can see them, whenever it is said. */
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { ClaimLoop } from "../../src/runtime/claim-loop.js";

const WANTS = [
  { ...{ kind: "index", concurrency: 1, globalMax: null, rateLimit: null }, free: 1, quick: false },
];
/** Polls are far apart: who waits for one has waited too long. */
const POLL_MS = 60_000;
const SOON_MS = 40;

const rest = (ms: number) => systemClock.sleep(ms);

/** A loop that finds nothing; when its claims began, and whether two were under way at once. */
function emptyHandedLoop(takesMs: () => number | null) {
  const begunMs: number[] = [];
  let underWay = 0;
  let most = 0;
  let onClaimed = () => {};
  const loop = new ClaimLoop({
    clock: systemClock,
    wants: () => WANTS,
    claim: async () => {
      begunMs.push(performance.now());
      most = Math.max(most, ++underWay);
      const ms = takesMs();
      if (ms !== null) await rest(ms);
      underWay -= 1;
      onClaimed();
      return { jobs: [], hungry: [] };
    },
    accept: () => {},
    idle: async () => POLL_MS,
    onClaimFailed: () => {},
    pollMaxMs: () => POLL_MS,
  });
  const stopped = new AbortController();
  const ended = loop.run(stopped.signal);
  const stop = () => {
    stopped.abort();
    return ended;
  };
  return {
    ...{ loop, begunMs, stop },
    most: () => most,
    whenClaimed: (call: () => void) => {
      onClaimed = call;
    },
  };
}

/** Then the pauses of the start are over: they double from 50 ms. */
const SETTLED_MS = 500;

describe("a claim begins soon after", () => {
  test("a hint that comes some microtasks after the end of a claim that a hint began", async () => {
    const missed = async (turns: number): Promise<boolean> => {
      const { loop, begunMs, stop, whenClaimed } = emptyHandedLoop(() => 5);
      await rest(SETTLED_MS);
      let hintedMs = Number.POSITIVE_INFINITY;
      whenClaimed(() => {
        whenClaimed(() => {});
        void (async () => {
          for (let turn = 0; turn < turns; turn++) await null;
          hintedMs = performance.now();
          loop.hint();
        })();
      });
      loop.hint();
      await rest(SOON_MS);
      await stop();
      return !begunMs.some((ms) => ms >= hintedMs);
    };
    const turns = Array.from({ length: 16 }, (_, i) => i);
    const missing = await Promise.all(turns.map(missed));
    expect(turns.filter((turn) => missing[turn])).toEqual([]);
  });

  test("a job of ours was due while a claim was under way that could not see it", async () => {
    const { loop, begunMs, stop, whenClaimed } = emptyHandedLoop(() => null);
    await rest(SETTLED_MS);
    const due = new Date(Date.now() + 30);
    loop.hintAt(due);
    await rest(20);
    whenClaimed(() => {
      whenClaimed(() => {});
      // The answer is heard before the end of the rest is.
      while (Date.now() <= due.getTime());
    });
    loop.hint();
    const heardMs = performance.now();
    await rest(SOON_MS);
    expect(begunMs.filter((ms) => ms >= heardMs)).not.toEqual([]);
    await stop();
  });

  test("any hint of many at random, and never two claims at once", async () => {
    const { loop, begunMs, stop, most } = emptyHandedLoop(() =>
      Math.random() < 0.3 ? null : Math.random() * 3,
    );
    const hintsMs: number[] = [];
    for (let hint = 0; hint < 1_000; hint++) {
      hintsMs.push(performance.now());
      loop.hint();
      if (Math.random() < 0.7) await rest(Math.random() * 4);
      else if (Math.random() < 0.5) await null;
    }
    await rest(SOON_MS);
    const late = hintsMs.filter((ms) => {
      const next = begunMs.find((begun) => begun >= ms);
      return next === undefined || next - ms > SOON_MS;
    });
    // The machine may stand still for a moment.
    expect(late.length).toBeLessThan(hintsMs.length / 50);
    expect(most()).toBe(1);
    await stop();
  });
});

test("hundreds of thousands of jobs that are due later are no burden", async () => {
  const { loop, begunMs, stop } = emptyHandedLoop(() => null);
  for (let job = 0; job < 300_000; job++) loop.hintAt(new Date(Date.now() + 3_600_000 + job));
  await rest(SETTLED_MS);
  const before = begunMs.length;
  loop.hint();
  await rest(SOON_MS);
  expect(begunMs.length).toBeGreaterThan(before);
  await stop();
});

test("after a stop no claim begins, whoever hints in the same turn", async () => {
  const { loop, begunMs, stop } = emptyHandedLoop(() => null);
  await rest(SETTLED_MS);
  const before = begunMs.length;
  const ended = stop();
  loop.hint();
  await ended;
  expect(begunMs.length).toBe(before);
});

test("a stop waits for the claim under way, and no other begins", async () => {
  const { loop, begunMs, stop } = emptyHandedLoop(() => 30);
  await rest(SETTLED_MS);
  loop.hint();
  const before = begunMs.length;
  const ended = stop();
  loop.hint();
  await ended;
  loop.hint();
  await rest(SOON_MS);
  expect(begunMs.length).toBe(before);
});
