import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NewSilence } from "../../src/alert/silence-wish.js";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/base/duration.js";
import type { SilencePolicy } from "../../src/policy/monitoring.js";
import { listAudit } from "../../src/store/audit.js";
import { layGitSilences } from "../../src/store/git-silences.js";
import {
  activeSilences,
  expireSilence,
  listSilences,
  noteMatches,
  OPEN_SILENCES_MAX,
  postSilence,
  readSilence,
} from "../../src/store/silences.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRule } from "../support/make-policy.js";

const NOW = new Date("2026-03-01T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const QUEUE = { name: "rule", value: "queue-depth-high", isRegex: false, isEqual: true };
const LIMITS = { longestMs: 30 * DAY_MS, longestPagesMs: 4 * HOUR_MS };

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());
beforeEach(() => lent.db.query("TRUNCATE control.silence"));

function makeWish(overrides: Partial<NewSilence> = {}): NewSilence {
  return {
    ...{ id: null, matchers: [QUEUE], startsAt: NOW, endsAt: later(HOUR_MS) },
    ...{ createdBy: "ann", comment: "a migration", silencesPages: false },
    ...overrides,
  };
}

const post = (overrides: Partial<NewSilence> = {}, now = NOW) =>
  lent.db.transaction((tx) =>
    postSilence(tx, makeWish(overrides), {
      ...{ by: "api:ann", now, limits: LIMITS, rules: [makeRule({ by: ["worker_type"] })] },
    }),
  );

async function posted(overrides: Partial<NewSilence> = {}, now = NOW): Promise<string> {
  const answer = await post(overrides, now);
  if (answer.outcome !== "done") throw new Error(JSON.stringify(answer));
  return answer.id;
}

const expire = (id: string, now: Date) =>
  lent.db.transaction((tx) => expireSilence(tx, id, { by: "api:bob", now }));
const idsAt = async (now: Date) => (await activeSilences(lent.db, now)).map(({ id }) => id);

describe("a silence by the API", () => {
  test("is kept as it was asked for, holds for its time, and stands in the audit", async () => {
    const id = await posted({ startsAt: later(MINUTE_MS) });
    expect(await readSilence(lent.db, id)).toMatchObject({
      ...{ id, source: "api", name: null, matchers: [QUEUE], createdBy: "ann" },
      ...{ startsAt: later(MINUTE_MS), endsAt: later(HOUR_MS), matchedAt: null, matches: 0 },
    });
    expect(await idsAt(NOW)).toEqual([]);
    expect(await idsAt(later(MINUTE_MS))).toEqual([id]);
    expect(await idsAt(later(HOUR_MS))).toEqual([]);
    const [newest] = await listAudit(lent.db, { limit: 1 });
    expect(newest).toMatchObject({
      ...{ actor: "api:ann", action: "silence.created", target: `silence:${id}` },
      details: { owner: "ann", reason: "a migration", matchers: ['rule="queue-depth-high"'] },
    });
  });

  test("starts now when its start is past, and is as long from there as it may be", async () => {
    const id = await posted({ startsAt: later(-DAY_MS), endsAt: later(30 * DAY_MS) });
    expect((await readSilence(lent.db, id))?.startsAt).toEqual(NOW);
  });

  test("that is refused leaves nothing", async () => {
    expect(await post({ createdBy: "" })).toMatchObject({ outcome: "refused" });
    expect(await post({ id: "7d1ee1d1-0000-4000-8000-000000000000" })).toEqual({
      outcome: "not-found",
    });
    expect(await listSilences(lent.db, NOW)).toEqual([]);
  });

  test("keeps its id when its end moves; other matchers end it and make a new one", async () => {
    const id = await posted();
    const at = later(MINUTE_MS);
    expect(await posted({ id, endsAt: later(2 * HOUR_MS) }, at)).toBe(id);
    expect((await readSilence(lent.db, id))?.startsAt).toEqual(NOW);
    const narrower = [QUEUE, { ...QUEUE, name: "worker_type", value: "index" }];
    const other = await posted({ id, matchers: narrower }, at);
    expect(other).not.toBe(id);
    expect(await idsAt(at)).toEqual([other]);
    expect(await readSilence(lent.db, id)).toMatchObject({ endsAt: at, endedBy: "api:ann" });
  });

  test("changed by two at once is one silence in the end", async () => {
    const id = await posted();
    const narrower = (value: string) => [QUEUE, { ...QUEUE, name: "worker_type", value }];
    const answers = await Promise.all([
      posted({ id, matchers: narrower("index") }),
      posted({ id, matchers: narrower("score") }),
    ]);
    // The second one found the first silence over, so both are new; the old one ended once.
    expect(new Set([id, ...answers]).size).toBe(3);
    expect((await idsAt(later(1))).sort()).toEqual(answers.sort());
  });

  test("ends when it is told to, once; one to come never begins", async () => {
    const active = await posted();
    const pending = await posted({ startsAt: later(MINUTE_MS) });
    expect(await expire(active, later(1))).toBe("expired");
    expect(await expire(active, later(2))).toBe("was-over");
    expect(await expire(pending, later(1))).toBe("expired");
    expect(await readSilence(lent.db, pending)).toMatchObject({
      ...{ startsAt: later(1), endsAt: later(1), endedBy: "api:bob" },
    });
    expect(await idsAt(later(MINUTE_MS))).toEqual([]);
    expect(await expire("7d1ee1d1-0000-4000-8000-000000000000", NOW)).toBe("not-found");
  });

  test("is one of at most 200 that are not over", async () => {
    await lent.db.query(
      `INSERT INTO control.silence (id, source, matchers, starts_at, ends_at, created_by, comment)
       SELECT gen_random_uuid(), 'api', '[]', $1, $2, 'ann', 'x' FROM generate_series(1, $3)`,
      [NOW, later(HOUR_MS), OPEN_SILENCES_MAX],
    );
    expect(await post()).toMatchObject({
      outcome: "refused",
      reasons: [expect.stringContaining("200 silences already")],
    });
    expect(await post({ startsAt: later(HOUR_MS), endsAt: later(DAY_MS) }, later(HOUR_MS))).toEqual(
      { outcome: "done", id: expect.any(String) },
    );
  });
});

test("silences are listed active first, the next to end foremost, then those to come, then those that are over", async () => {
  const lateEnd = await posted({ endsAt: later(2 * HOUR_MS) });
  const soonEnd = await posted({ endsAt: later(HOUR_MS) });
  const lateStart = await posted({ startsAt: later(2 * HOUR_MS), endsAt: later(3 * HOUR_MS) });
  const soonStart = await posted({ startsAt: later(HOUR_MS), endsAt: later(9 * HOUR_MS) });
  const over = await posted({ endsAt: later(2) });
  const justOver = await posted({ endsAt: later(3) });
  const at = later(4);
  const listed = (await listSilences(lent.db, at)).map(({ id }) => id);
  expect(listed).toEqual([soonEnd, lateEnd, soonStart, lateStart, justOver, over]);
  const muchLater = await listSilences(lent.db, later(6 * DAY_MS));
  expect(muchLater).toEqual([]);
});

describe("what a silence hid", () => {
  const note = (counts: Record<string, number>, now: Date) =>
    lent.db.transaction((tx) => noteMatches(tx, new Map(Object.entries(counts)), now));
  const seen = async (id: string) => {
    const { matches, matchedAt } = (await readSilence(lent.db, id))!;
    return { matches, matchedAt };
  };
  const versionOf = async (id: string) => {
    const sql = "SELECT xmin::text AS version FROM control.silence WHERE id = $1";
    return (await lent.db.query<{ version: string }>(sql, [id])).rows[0]?.version;
  };

  test("is counted, and written only when it is more, or once a minute", async () => {
    const [busy, idle] = [await posted(), await posted()];
    await note({ [busy]: 3 }, later(1_000));
    expect(await seen(busy)).toEqual({ matches: 3, matchedAt: later(1_000) });
    expect(await seen(idle)).toEqual({ matches: 0, matchedAt: null });
    const before = await versionOf(busy);
    // Other rules are due at these ticks, or fewer alerts fire.
    await note({}, later(16_000));
    await note({ [busy]: 2 }, later(31_000));
    expect(await versionOf(busy)).toBe(before);
    await note({ [busy]: 4 }, later(46_000));
    expect(await seen(busy)).toEqual({ matches: 4, matchedAt: later(46_000) });
    await note({ [busy]: 2 }, later(106_000));
    expect(await seen(busy)).toEqual({ matches: 2, matchedAt: later(106_000) });
  });

  test("keeps no tick waiting for a person who is changing it", async () => {
    const id = await posted();
    await lent.db.transaction(async (person) => {
      await expireSilence(person, id, { by: "api:bob", now: later(HOUR_MS - 1) });
      await note({ [id]: 3 }, NOW);
    });
    expect((await seen(id)).matches).toBe(0);
  });

  test("is none after five minutes without any", async () => {
    const id = await posted();
    await note({ [id]: 3 }, NOW);
    await note({}, later(5 * MINUTE_MS - 1));
    expect((await seen(id)).matches).toBe(3);
    await note({}, later(5 * MINUTE_MS));
    expect(await seen(id)).toEqual({ matches: 0, matchedAt: NOW });
  });
});

describe("silences of Git", () => {
  const quiet: SilencePolicy = {
    ...{ name: "quiet", owner: "ann", reason: "the index moves", silencesPages: false },
    ...{ starts: NOW.toISOString(), ends: later(HOUR_MS).toISOString(), matchers: [QUEUE] },
  };
  const lay = (wanted: readonly SilencePolicy[], now = NOW) =>
    lent.db.transaction((tx) => layGitSilences(tx, "algobrain", wanted, now));

  test("stand beside those of the API; the same again changes nothing", async () => {
    const own = await posted();
    expect(await lay([quiet])).toEqual({ laid: ["quiet"], ended: [] });
    expect(await lay([quiet])).toEqual({ laid: [], ended: [] });
    const active = await activeSilences(lent.db, NOW);
    expect(active).toHaveLength(2);
    expect(active.find(({ id }) => id !== own)).toMatchObject({
      ...{ source: "git", name: "quiet", createdBy: "ann", comment: "the index moves" },
    });
  });

  test("change with the file, end with it, and come back with it", async () => {
    await lay([quiet]);
    const longer = { ...quiet, ends: later(2 * HOUR_MS).toISOString() };
    expect(await lay([longer], later(1))).toEqual({ laid: ["quiet"], ended: [] });
    expect((await activeSilences(lent.db, later(HOUR_MS)))[0]?.name).toBe("quiet");
    expect(await lay([], later(2))).toEqual({ laid: [], ended: ["quiet"] });
    expect(await idsAt(later(3))).toEqual([]);
    expect(await lay([longer], later(3))).toEqual({ laid: ["quiet"], ended: [] });
    expect(await idsAt(later(4))).toHaveLength(1);
  });

  test("that a person ended stay ended, also after the next lay", async () => {
    await lay([quiet]);
    const [{ id } = { id: "" }] = await activeSilences(lent.db, NOW);
    expect(await expire(id, later(1))).toBe("expired");
    expect(await lay([quiet], later(2))).toEqual({ laid: [], ended: [] });
    expect(await idsAt(later(3))).toEqual([]);
  });

  test("that were over before they were laid are not laid", async () => {
    expect(await lay([quiet], later(2 * HOUR_MS))).toEqual({ laid: [], ended: [] });
    expect(await listSilences(lent.db, later(2 * HOUR_MS))).toEqual([]);
  });
});
