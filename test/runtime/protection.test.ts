/** The hourly look at the branch: what it keeps, whom it tells, and what a failed look changes (nothing). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { GitHost, Protection } from "../../src/review/port.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import { checkProtectionTick } from "../../src/runtime/tick/check-protection.js";
import { readProtection, saveProtection, whyUnguarded } from "../../src/store/protection.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";

const REPO = "acme/policies";
const NOON = new Date("2026-03-01T12:00:00Z");
const HOUR_MS = 3_600_000;
const later = (ms: number) => new Date(NOON.getTime() + ms);
const ON: Protection = {
  ...{ known: true, pullRequestRequired: true, reviews: 1, codeOwners: true },
  ...{ staleDismissed: true, adminsIncluded: true, checks: ["check"] },
  ...{ forcePush: false, deletion: false },
};

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(() => lent.db.query("TRUNCATE control.protection"));

function open() {
  const told: RuntimeWord[] = [];
  const seen = { asked: 0, protection: ON, isAway: false };
  const host: Pick<GitHost, "head" | "protection"> = {
    head: async () => ({ branch: "main", commit: "c".repeat(40) }),
    protection: async () => {
      seen.asked += 1;
      if (seen.isAway) throw fault.transient("GITHUB_UNREACHABLE", "cannot reach it");
      return seen.protection;
    },
  };
  const notify = async (_: unknown, word: RuntimeWord) => {
    told.push(word);
  };
  const tick = checkProtectionTick({ db: lent.db, host, repo: REPO, notify });
  const look = (now: Date) => tick.run(now, new AbortController().signal);
  return { seen, told, look };
}

const why = async (now: Date) => whyUnguarded(REPO, await readProtection(lent.db, REPO), now);

describe("the look at the branch", () => {
  test("is taken once an hour, also by another leader", async () => {
    const [first, second] = [open(), open()];
    await first.look(NOON);
    await second.look(later(HOUR_MS - 1));
    expect([first.seen.asked, second.seen.asked]).toEqual([1, 0]);
    await second.look(later(HOUR_MS));
    expect(second.seen.asked).toBe(1);
  });

  test("tells once that the protection has gone, and once that it is back", async () => {
    const { seen, told, look } = open();
    await look(NOON);
    expect(told).toEqual([]);
    seen.protection = { ...ON, reviews: 0 };
    await look(later(HOUR_MS));
    await look(later(2 * HOUR_MS));
    seen.protection = ON;
    await look(later(3 * HOUR_MS));
    expect(told).toMatchObject([
      { action: "trigger", key: "protection", details: { verdict: "off" } },
      { action: "resolve", key: "protection", details: { verdict: "on" } },
    ]);
  });

  test("that fails changes nothing, and is tried again at the next time", async () => {
    const { seen, look } = open();
    await look(NOON);
    seen.isAway = true;
    await expect(look(later(HOUR_MS))).rejects.toThrow();
    expect(await why(later(HOUR_MS))).toBeNull();
    expect(await readProtection(lent.db, REPO)).toMatchObject({ checkedAt: NOON, verdict: "on" });
  });
});

describe("automation is held back", () => {
  test("where nobody has ever looked", async () => {
    expect(await why(NOON)).toContain("it was never checked");
  });

  test("where the protection is off, with what is missing", async () => {
    const { seen, look } = open();
    seen.protection = { ...ON, codeOwners: false };
    await look(NOON);
    expect(await why(NOON)).toContain("no review by code owners is needed");
  });

  test("where the host does not say: a failed check is never a good one", async () => {
    const { seen, look } = open();
    seen.protection = { ...ON, known: false };
    await look(NOON);
    expect(await why(NOON)).toContain("the host does not say");
  });

  test("where the last look is older than a day", async () => {
    await open().look(NOON);
    expect(await why(later(24 * HOUR_MS))).toBeNull();
    expect(await why(later(24 * HOUR_MS + 1))).toContain("it was last checked 1d ago");
  });

  test("and an older verdict does not replace a newer one", async () => {
    await open().look(NOON);
    const old = { branch: "main", verdict: "off", missing: ["x"] } as const;
    await saveProtection(lent.db, REPO, old, later(-1));
    expect(await why(NOON)).toBeNull();
  });
});
