/** Several processes, one limit: whoever is refused, nobody asks before its time (X-16, HB-wrk-14). */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createGitHubSource } from "../../src/adapter/github-source.js";
import type { RefusalKind } from "../../src/adapter/stand-in/github-limits.js";
import { type StandInOrg, startStandInOrg } from "../../src/adapter/stand-in/github-org.js";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { Fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import { createRequestGate, type RequestGateDeps } from "../../src/runtime/request-gate.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { faultOf, never } from "./delivery.js";

const TOKEN = "ghp_of-a-person";
const SCOPE = "api.github.com#12345678/core";
const MINUTE_MS = 60_000;

let place: TestDatabase;
let github: StandInOrg;
let githubNow: Date;
let ids: readonly number[];

beforeAll(async () => {
  place = await createTestDatabase();
});
afterAll(() => place.drop());

async function begin(perWindow = 5_000): Promise<void> {
  await place.db.query("DELETE FROM control.github_budget");
  await place.db.query("DELETE FROM control.github_permit");
  githubNow = systemClock.now();
  const limits = { perWindow };
  github = await startStandInOrg({ org: "acme", token: TOKEN, limits, now: () => githubNow });
  ids = Array.from({ length: 5 }, (_, nth) => github.add({ name: `repo-${nth}` }).id);
}

beforeEach(() => begin());
afterEach(() => github.close());

/** Its time stands still: on a busy machine too, who waits for a permit of another gets it in the end. */
const PATIENT: Clock = { now: () => new Date(0), sleep: systemClock.sleep };

/** As a process of its own has it: nothing is shared but the database. */
function process(more: Partial<RequestGateDeps> = {}, timeoutMs = 30_000) {
  const gate = createRequestGate(async () => SCOPE, {
    ...{ db: place.db, clock: PATIENT, log: silentLogger, random: () => 0 },
    rules: () => ({ reserve: 0.1, inFlight: 20, perSecond: 10_000 }),
    ...more,
  });
  const auth = { kind: "token", token: TOKEN } as const;
  return createGitHubSource({ auth, apiUrl: github.url, gate, timeoutMs });
}

/** Of `count` requests at once, over the processes: the names that were found, and the faults. */
async function askAtOnce(count: number, processes: readonly ReturnType<typeof process>[]) {
  const asked = Array.from({ length: count }, (_, nth) =>
    processes[nth % processes.length]!.repo({ githubId: ids[nth % ids.length]! }, never()),
  );
  const ended = await Promise.allSettled(asked);
  return {
    found: ended.filter(({ status }) => status === "fulfilled").length,
    faults: ended.flatMap((one) => (one.status === "rejected" ? [one.reason as Fault] : [])),
  };
}

/** More than an hour later, for GitHub and for what we know of it: its headers have whole seconds. */
async function anHourLater(): Promise<void> {
  githubNow = new Date(githubNow.getTime() + 61 * MINUTE_MS);
  await place.db.query(
    `UPDATE control.github_budget SET gate_until = gate_until - interval '61 min', reset_at = reset_at - interval '61 min'`,
  );
}

describe("a refusal", () => {
  test.each<[RefusalKind, number]>([
    ["primary", 10 * MINUTE_MS],
    ["retry-after", 2 * MINUTE_MS],
    ["secondary-with-time", 3 * MINUTE_MS],
    // It names no time: a minute is GitHub's advice.
    ["secondary", MINUTE_MS],
  ])(
    "(%s) holds back every process until its time, and all is well after it",
    async (kind, waitMs) => {
      const processes = [process(), process(), process()];
      github.limits.refuse(kind, waitMs);
      const first = await faultOf(processes[0]!.repo({ githubId: ids[0]! }, never()));
      expect(first).toMatchObject({ kind: "waiting", code: "GITHUB_RATE_LIMITED", asksAll: true });
      const { found, faults } = await askAtOnce(12, processes);
      expect(found).toBe(0);
      for (const fault of faults) {
        expect(fault).toMatchObject({
          kind: "waiting",
          code: "GITHUB_RATE_LIMITED",
          asksAll: true,
        });
        // By two clocks, one of which has whole seconds; and the machine may have stood still.
        expect(fault.retryAfterMs).toBeGreaterThan(waitMs - MINUTE_MS / 2);
        expect(fault.retryAfterMs).toBeLessThan(waitMs + 2_000);
      }
      expect(github.requests()).toHaveLength(1);
      await anHourLater();
      expect(await askAtOnce(12, processes)).toEqual({ found: 12, faults: [] });
    },
  );

  test("that comes again is met by one request, not by all who waited", async () => {
    const processes = [process(), process()];
    github.limits.refuse("secondary", 120 * MINUTE_MS);
    await faultOf(processes[0]!.repo({ githubId: ids[0]! }, never()));
    await anHourLater();
    const { found, faults } = await askAtOnce(10, processes);
    expect([found, new Set(faults.map(({ code }) => code))]).toEqual([
      0,
      new Set(["GITHUB_RATE_LIMITED"]),
    ]);
    expect(github.requests()).toHaveLength(2);
  });
});

describe("what is left", () => {
  test("is shared: jobs of all processes stop at the reserve, and GitHub never refuses", async () => {
    await github.close();
    await begin(30);
    const processes = [process(), process(), process()];
    const { found, faults } = await askAtOnce(60, processes);
    // Those under way are taken off what is known to be left, so some wait for the answers of others.
    expect(found).toBeLessThanOrEqual(27);
    expect(found).toBeGreaterThanOrEqual(20);
    expect(faults.every(({ kind }) => kind === "waiting")).toBe(true);
    expect(github.requests().filter((request) => !request.endsWith(" 200"))).toEqual([]);
    expect(github.limits.remaining).toBeGreaterThanOrEqual(3);
    await anHourLater();
    expect((await askAtOnce(9, processes)).found).toBe(9);
  });

  test("that somebody else uses up is found out by the next answer", async () => {
    const one = process();
    await one.repo({ githubId: ids[0]! }, never());
    github.limits.use(4_600);
    await one.repo({ githubId: ids[1]! }, never());
    expect(await faultOf(process().repo({ githubId: ids[2]! }, never()))).toMatchObject({
      ...{ kind: "waiting", code: "GITHUB_RATE_LIMITED", asksAll: false },
    });
    expect(github.requests()).toHaveLength(2);
  });
});

describe("each request has a permit of its own", () => {
  const permits = async () => {
    const { rows } = await place.db.query<{ left: number; given: number }>(
      `SELECT count(*)::int AS left, (SELECT last_value FROM control.github_permit_id_seq)::int AS given
       FROM control.github_permit`,
    );
    return rows[0]!;
  };

  test("pages and redirects too, and all are given back", async () => {
    for (let nth = 0; nth < 150; nth++) github.add({ name: `more-${nth}` });
    const one = process();
    const before = (await permits()).given;
    const first = await one.listRepos("acme", { page: null, etag: null }, never());
    if (first === "unchanged") throw new Error("nothing was known");
    await one.listRepos("acme", { page: first.next, etag: null }, never());
    github.rename("repo-0", "other");
    await one.repo({ owner: "acme", name: "repo-0" }, never());
    const after = await permits();
    expect([after.given - before, after.left]).toEqual([4, 0]);
    expect(github.requests()).toHaveLength(4);
  });

  test.each([
    ["that fails", { kind: "answer", answer: { status: 502, body: "<html>" } }, "GITHUB_FAILED"],
    ["that is cut off", { kind: "drop-answer" }, "GITHUB_UNREACHABLE"],
    ["that is never answered", { kind: "silence" }, "GITHUB_TIMED_OUT"],
  ] as const)("one %s gives it back and says nothing of the limit", async (_, how, code) => {
    github.misbehave(how);
    const hasty = process({}, how.kind === "silence" ? 100 : 30_000);
    expect(await faultOf(hasty.repo({ githubId: ids[0]! }, never()))).toMatchObject({
      ...{ kind: "transient", code },
    });
    expect((await permits()).left).toBe(0);
    expect(await process().repo({ githubId: ids[0]! }, never())).toMatchObject({ name: "repo-0" });
  });

  test("a caller who is stopped gets none, and nothing is asked", async () => {
    const stopped = process().repo({ githubId: ids[0]! }, AbortSignal.abort());
    expect(await faultOf(stopped)).toMatchObject({ kind: "transient", code: "GITHUB_ABORTED" });
    expect([(await permits()).left, github.requests()]).toEqual([0, []]);
  });

  test("with the database away nothing is asked", async () => {
    const away: RequestGateDeps["db"] = {
      ...place.db,
      transaction: async () => {
        throw new Fault("transient", "DATABASE_UNAVAILABLE", "gone");
      },
    };
    expect(await faultOf(process({ db: away }).repo({ githubId: 1 }, never()))).toMatchObject({
      code: "DATABASE_UNAVAILABLE",
    });
    expect(github.requests()).toEqual([]);
  });

  test("a refusal that could not be told is told before the next request", async () => {
    let tells = 0;
    const flaky: RequestGateDeps["db"] = {
      ...place.db,
      // The second transaction is the one that tells.
      transaction: async (work) => {
        tells += 1;
        if (tells === 2) throw new Fault("transient", "DATABASE_UNAVAILABLE", "gone");
        return place.db.transaction(work);
      },
    };
    const one = process({ db: flaky });
    github.limits.refuse("retry-after", MINUTE_MS);
    await faultOf(one.repo({ githubId: ids[0]! }, never()));
    expect(await faultOf(one.repo({ githubId: ids[0]! }, never()))).toMatchObject({
      code: "GITHUB_RATE_LIMITED",
    });
    expect(await faultOf(process().repo({ githubId: ids[0]! }, never()))).toMatchObject({
      code: "GITHUB_RATE_LIMITED",
    });
    expect(github.requests()).toHaveLength(1);
  });

  test("who would wait long for its turn goes back into the queue", async () => {
    const rules = () => ({ reserve: 0.1, inFlight: 20, perSecond: 1 });
    const clock: Clock = { now: () => new Date(0), sleep: async () => {} };
    const { found, faults } = await askAtOnce(10, [process({ clock, rules })]);
    expect([found, faults.length]).toEqual([3, 7]);
    for (const fault of faults)
      expect(fault).toMatchObject({ kind: "waiting", code: "GITHUB_RATE_LIMITED", asksAll: false });
  });

  test("a process asks no faster than it may", async () => {
    const slept: number[] = [];
    const clock: Clock = {
      now: () => new Date(0),
      sleep: async (ms) => void slept.push(ms),
    };
    const rules = () => ({ reserve: 0.1, inFlight: 20, perSecond: 10 });
    const one = process({ clock, rules });
    for (let nth = 0; nth < 4; nth++) await one.repo({ githubId: ids[0]! }, never());
    expect(slept).toEqual([100, 200, 300]);
  });
});
