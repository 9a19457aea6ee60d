import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../../src/base/log.js";
import type { SilencePolicy } from "../../src/policy/monitoring.js";
import type { PolicySet } from "../../src/policy/policy.js";
import { laySilencesTick } from "../../src/runtime/tick/lay-silences.js";
import type { Database } from "../../src/store/database.js";
import { activeSilences } from "../../src/store/silences.js";
import { withDatabase } from "../support/database.js";
import { lendToFile } from "../support/lend.js";
import { makePolicy } from "../support/make-policy.js";

const NOW = new Date("2026-03-01T12:00:00Z");
const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);

const quiet: SilencePolicy = {
  ...{ name: "quiet", owner: "ann", reason: "the index moves", silencesPages: false },
  ...{ starts: NOW.toISOString(), ends: later(60).toISOString() },
  matchers: [{ name: "rule", value: "queue-depth-high", isRegex: false, isEqual: true }],
};

/** A tick over a policy that can change, and what it logged. */
function tickOver(db: Database, first: PolicySet) {
  let policy = first;
  const logged: unknown[] = [];
  const log = {
    ...silentLogger,
    info: (event: string, fields = {}) => logged.push([event, fields]),
  };
  const tick = laySilencesTick({ db, log, policy: () => policy });
  return {
    logged,
    adopt: (next: PolicySet) => {
      policy = next;
    },
    run: (now: Date) => tick.run(now, new AbortController().signal),
  };
}

const namesAt = async (db: Database, now: Date) =>
  (await activeSilences(db, now)).map(({ name }) => name);

const database = lendToFile<Database>(withDatabase);
afterEach(() => database().query("TRUNCATE control.silence"));
const within = (claim: (db: Database) => Promise<void>) => claim(database());

test("the silences of the policy in force hold, and end when a policy without them comes into force", () =>
  within(async (db) => {
    const tick = tickOver(db, makePolicy({ silences: [quiet] }));
    await tick.run(NOW);
    expect(await namesAt(db, NOW)).toEqual(["quiet"]);
    await tick.run(later(1));
    tick.adopt(makePolicy({ silences: [] }));
    await tick.run(later(2));
    expect(await namesAt(db, later(2))).toEqual([]);
    expect(tick.logged).toEqual([
      ["silences.laid", { laid: ["quiet"], ended: [] }],
      ["silences.laid", { laid: [], ended: ["quiet"] }],
    ]);
  }));

test("while nothing changes the database is asked once in five minutes; what it lost is laid again", () =>
  within(async (db) => {
    let statements = 0;
    const counting: Database = {
      ...db,
      transaction: (work, ...rest) => {
        statements += 1;
        return db.transaction(work, ...rest);
      },
    };
    const tick = tickOver(counting, makePolicy({ silences: [quiet] }));
    for (const minute of [0, 1, 2, 4]) await tick.run(later(minute));
    expect(statements).toBe(1);
    await db.query("TRUNCATE control.silence");
    await tick.run(later(5));
    expect(await namesAt(db, later(5))).toEqual(["quiet"]);
  }));

test("a tick that fails lays them at the next one", () =>
  within(async (db) => {
    let isAway = true;
    const flaky: Database = {
      ...db,
      transaction: (work, ...rest) =>
        isAway ? Promise.reject(new Error("away")) : db.transaction(work, ...rest),
    };
    const tick = tickOver(flaky, makePolicy({ silences: [quiet] }));
    await expect(tick.run(NOW)).rejects.toThrow("away");
    isAway = false;
    await tick.run(later(1));
    expect(await namesAt(db, later(1))).toEqual(["quiet"]);
  }));
