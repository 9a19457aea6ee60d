import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../src/base/duration.js";
import { createOpenOnPage } from "../../src/runtime/incidents.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import type { PageNews } from "../../src/runtime/speaking/page-news.js";
import { incidentTimersTick } from "../../src/runtime/tick/incident-timers.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import { readTimeline } from "../../src/store/incident-timeline.js";
import { countOverdueReviews } from "../../src/store/incident-timers.js";
import {
  acknowledgeIncident,
  closeIncident,
  listIncidents,
  noteIncident,
  openIncident,
  readIncident,
  reopenIncident,
  setIncidentRole,
} from "../../src/store/incidents.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterEach(() => lent.db.query("TRUNCATE control.incident, control.alert_event CASCADE"));
afterAll(() => lent.drop());

const NOW = new Date("2026-11-20T03:05:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const policy = makePolicy();
const act = (now = NOW) => ({ by: "api:ann", now });

const open = (causeKey: string | null = null, now = NOW) =>
  lent.db.transaction((tx) =>
    openIncident(
      tx,
      { title: "down", severity: "sev1", causeKey, by: "api:ann", startedAt: NOW, now },
      policy,
    ),
  );
const FINDINGS = { symptoms: "s", rootCause: "c", resolution: "r", prevention: "p" };
const close = (number: string, postMortemDue: Date | null = null) =>
  lent.db.transaction((tx) =>
    closeIncident(tx, number, { findings: FINDINGS, resolvedAt: NOW, postMortemDue }, act()),
  );

describe("an incident", () => {
  test("has the next number of its day, also when ten are opened at once", async () => {
    const numbers = (await Promise.all(Array.from({ length: 10 }, () => open()))).map(
      ({ number }) => number,
    );
    const wanted = Array.from(
      { length: 10 },
      (_, i) => `INC-2026-11-20-${String(i + 1).padStart(3, "0")}`,
    );
    expect(numbers.sort()).toEqual(wanted);
    expect((await open(null, later(24 * HOUR_MS))).number).toBe("INC-2026-11-21-001");
  });

  test("is one for each cause while it is open, whoever opens it at the same time", async () => {
    const opened = await Promise.all([open("a/b"), open("a/b"), open("a/b")]);
    expect(new Set(opened.map(({ number }) => number)).size).toBe(1);
    expect(opened.filter(({ isNew }) => isNew)).toHaveLength(1);
    await close(opened[0]!.number);
    expect((await open("a/b")).isNew).toBe(true);
  });

  test("is acknowledged once and closed once, and each is in the audit", async () => {
    const { db } = lent;
    const { number } = await open();
    const acks = await Promise.all(
      ["api:ann", "api:bob"].map((by) =>
        db.transaction((tx) => acknowledgeIncident(tx, number, { by, now: NOW })),
      ),
    );
    expect(acks.sort()).toEqual([false, true]);
    expect([(await close(number))?.status, await close(number)]).toEqual(["closed", null]);
    expect(await db.transaction((tx) => acknowledgeIncident(tx, number, act()))).toBe(false);
    const actions = (await readAuditOfTarget(db, number)).map(({ action }) => action);
    expect(actions).toEqual(["incident.opened", "incident.acknowledged", "incident.closed"]);
  });

  test("opened again has the state from before, unless its cause has another by now", async () => {
    const { db } = lent;
    const { number } = await open("a/b");
    await close(number);
    expect(await db.transaction((tx) => reopenIncident(tx, number, act()))).toBe(true);
    expect(await readIncident(db, number)).toMatchObject({ status: "open", findings: null });
    await close(number);
    await open("a/b");
    expect(await db.transaction((tx) => reopenIncident(tx, number, act()))).toBe(false);
  });

  test("knows who does what; a closed one takes no role, and the last word counts", async () => {
    const { db } = lent;
    const { number } = await open();
    const give = (person: string) =>
      db.transaction((tx) => setIncidentRole(tx, number, { role: "commander", person }, act()));
    expect([await give("ann"), await give("bob")]).toEqual([true, true]);
    expect((await readIncident(db, number))?.roles).toEqual({ commander: "bob" });
    await close(number);
    expect(await give("eve")).toBe(false);
  });

  test("open ones are listed first", async () => {
    const first = (await open()).number;
    const second = (await open(null, later(1_000))).number;
    await close(second);
    const numbers = (await listIncidents(lent.db, { limit: 10 })).map(({ number }) => number);
    expect(numbers).toEqual([first, second]);
  });
});

describe("a page", () => {
  const page = (overrides: Partial<PageNews> = {}): PageNews => ({
    ...{ system: "algobrain", rule: "queue-depth-high", groupKey: "queue-depth-high/all" },
    ...{ severity: "sev1", title: "Queue depth high", startedAt: NOW, noticeId: 1 },
    ...overrides,
  });
  const onPage = createOpenOnPage({ policy: () => policy, now: () => NOW });
  const told = (news: PageNews) => lent.db.transaction((tx) => onPage(tx, news));

  test("of sev1 opens one incident though three receivers are told, of sev2 none", async () => {
    await told(page({ severity: "sev2" }));
    for (const noticeId of [1, 2, 3]) await told(page({ noticeId }));
    const incidents = await listIncidents(lent.db, { limit: 10 });
    expect(incidents).toMatchObject([
      {
        causeKey: "algobrain/queue-depth-high/all",
        openedBy: "alerts",
        respondBy: later(15 * MINUTE_MS),
      },
    ]);
  });
});

describe("an incident that nobody answers", () => {
  test("is told to the next of the escalation, each step once, also over a restart", async () => {
    const { db } = lent;
    const words: RuntimeWord[] = [];
    const escalation = [0, 15, 30, 60].map((minutes) => ({
      role: `role-${minutes}`,
      afterMs: minutes * MINUTE_MS,
    }));
    const tick = () =>
      incidentTimersTick({
        db,
        policy: () => ({ ...policy, routes: { ...policy.routes, escalation } }),
        notify: async (_, word) => void words.push(word),
      });
    const look = (minutes: number) =>
      tick().run(later(minutes * MINUTE_MS), new AbortController().signal);
    const { number } = await open();
    for (const minutes of [10, 15, 15.5, 16]) await look(minutes);
    const keys = () => words.map(({ key }) => key);
    const first = keys();
    expect(first).toHaveLength(1);
    expect(words[0]).toMatchObject({ audience: "critical", place: number });
    await look(600);
    await look(601);
    expect(keys().length).toBeGreaterThan(1);
    expect(new Set(keys()).size).toBe(keys().length);
    await db.transaction((tx) => acknowledgeIncident(tx, number, act()));
    const before = keys().length;
    await look(6_000);
    expect(keys()).toHaveLength(before);
  });

  test("is told by one of two processes that look at the same time", async () => {
    const { db } = lent;
    const words: RuntimeWord[] = [];
    const tick = incidentTimersTick({
      db,
      policy: () => policy,
      notify: async (_, word) => void words.push(word),
    });
    await open();
    const look = () => tick.run(later(15 * MINUTE_MS), new AbortController().signal);
    await Promise.all([look(), look(), look()]);
    expect(words).toHaveLength(1);
  });

  test("a review is overdue until a note says that it was held", async () => {
    const { db } = lent;
    const { number } = await open();
    await close(number, later(48 * HOUR_MS));
    const overdue = () => countOverdueReviews(db, later(49 * HOUR_MS));
    expect([await countOverdueReviews(db, later(47 * HOUR_MS)), await overdue()]).toEqual([0, 1]);
    await noteIncident(db, number, { text: "Post-mortem: docs/pm-1.md", door: "api" }, act());
    expect(await overdue()).toBe(0);
  });
});

describe("its timeline", () => {
  test("tells alerts, pages, runs, policies, decisions and notes of its time, and of no other", async () => {
    const { db } = lent;
    const { number } = await open();
    for (const minutes of [-20, -1, 30])
      await db.query(
        `INSERT INTO control.alert_event (rule, level, instance, severity, transition, value, at)
         VALUES ('queue-depth-high', 'AR-06', 'all', 'sev1', 'fired', 7, $1)`,
        [later(minutes * MINUTE_MS)],
      );
    const note = { text: "looking", door: "api", key: "k1" };
    expect(await noteIncident(db, number, note, act(later(MINUTE_MS)))).toBe(true);
    expect(await noteIncident(db, number, note, act(later(2 * MINUTE_MS)))).toBe(true);
    expect(await noteIncident(db, "INC-2000-01-01-001", note, act())).toBe(false);
    // The audit's time is the database's own.
    await db.query("UPDATE control.incident SET closed_at = now() + interval '1 hour'");
    const incident = (await readIncident(db, number))!;
    const entries = await readTimeline(
      db,
      { ...incident, closedAt: later(20 * MINUTE_MS) },
      later(HOUR_MS),
    );
    expect(entries.filter(({ source }) => source !== "incident")).toEqual([
      {
        ...{ at: later(-MINUTE_MS), source: "alert", by: null },
        text: "sev1 queue-depth-high (AR-06) all: fired at 7",
      },
      { at: later(MINUTE_MS), source: "note", text: "looking", by: "api:ann" },
    ]);
    const whole = await readTimeline(
      db,
      { ...incident, closedAt: null },
      new Date(Date.now() + 1_000),
    );
    expect(whole.filter(({ source }) => source === "incident")).toMatchObject([
      { text: "opened", by: "api:ann" },
    ]);
  });
});
