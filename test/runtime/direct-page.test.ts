/** The page that the database itself is away: when it goes out, to whom, how often, and when it ends. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Delivery, Notifier } from "../../src/alert/port.js";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import { silentLogger } from "../../src/base/log.js";
import type { JournalEntry } from "../../src/runbook/journal.js";
import { CALM, directPageTick, judgeAway } from "../../src/runtime/direct-page.js";
import type { Tick } from "../../src/runtime/ticker.js";
import { makePolicy } from "../support/make-policy.js";

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 28, 3, 0, seconds));
const never = new AbortController().signal;

describe("judgeAway", () => {
  test("speaks after 20 s without an answer, and not before", () => {
    const first = judgeAway(CALM, true, at(0)).state;
    expect(judgeAway(first, true, at(19)).say).toBeNull();
    expect(judgeAway(first, true, at(20)).say).toBe("trigger");
  });

  test("counts from the beginning again after one good answer", () => {
    const first = judgeAway(CALM, true, at(0)).state;
    const good = judgeAway(first, false, at(10)).state;
    const again = judgeAway(good, true, at(15)).state;
    expect(judgeAway(again, true, at(34)).say).toBeNull();
    expect(judgeAway(again, true, at(35)).say).toBe("trigger");
  });

  test("takes it back after 60 s of good answers", () => {
    const good = judgeAway(CALM, false, at(0)).state;
    expect(judgeAway(good, false, at(59)).say).toBeNull();
    expect(judgeAway(good, false, at(60)).say).toBe("resolve");
  });
});

let home: string;
let answer: "writable" | "read-only" | "away";
let sent: string[];
let down: Set<string>;
let kept: JournalEntry[];
let nowS = 0;
const clock: Clock = { ...systemClock, now: () => at(nowS) };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "algobrain-page-"));
  answer = "writable";
  sent = [];
  kept = [];
  down = new Set();
});
afterEach(() => rm(home, { recursive: true, force: true }));

const notifier = (kind: Notifier["kind"]): Notifier => ({
  kind,
  deliver: async ({ receiver, action, severity, dedupKey }: Delivery) => {
    if (down.has(receiver.name)) throw fault.transient("AWAY", "it does not answer");
    sent.push(`${receiver.name} ${action} ${severity} ${dedupKey}`);
    return { reference: `${receiver.name}-1` };
  },
});

/** A process of this home, with PagerDuty and a channel to tell. */
function openPager(): Tick {
  const policy = makePolicy();
  const { routes } = policy;
  const receivers = {
    pager: {
      name: "pager",
      kind: "pagerduty",
      perMinuteMax: 60,
      triesMax: null,
      sendResolved: true,
    },
    oncall: {
      name: "oncall",
      kind: "slack",
      channel: "C1",
      perMinuteMax: 60,
      triesMax: null,
      sendResolved: true,
    },
  } as unknown as typeof routes.receivers;
  const runtimeReceivers = { ...routes.runtimeReceivers, critical: ["pager", "oncall"] };
  return directPageTick({
    ...{ clock, log: silentLogger, noteFile: join(home, "database-down") },
    policy: () => ({ ...policy, routes: { ...routes, receivers, runtimeReceivers } }),
    notifiers: new Map((["pagerduty", "slack"] as const).map((kind) => [kind, notifier(kind)])),
    probe: async () => {
      if (answer === "away") throw fault.transient("DATABASE_UNAVAILABLE", "database: gone");
      return answer;
    },
    journal: {
      append: async (entry) => {
        kept.push(entry);
        return "kept";
      },
      pending: () => kept.length,
    },
  });
}

/** Looks each 5 s of made-up time. */
async function look(ticks: readonly Tick[], fromS: number, toS: number): Promise<void> {
  for (let second = fromS; second <= toS; second += 5)
    for (const tick of ticks) {
      nowS = second;
      await tick.run(at(second), never);
    }
}

const KEY = "algobrain/database-down/all";

describe("an outage", () => {
  test.each(["away", "read-only"] as const)(
    "(%s) pages once, and that is kept for the audit log",
    async (kind) => {
      const ticks = [openPager()];
      answer = kind;
      await look(ticks, 0, 120);
      expect(sent).toEqual([`pager trigger sev1 ${KEY}`, `oncall trigger sev1 ${KEY}`]);
      expect(kept).toMatchObject([
        { kind: "page", severity: "sev1", dedupKey: KEY, reference: "pager-1" },
        { kind: "page", reference: "oncall-1" },
      ]);
    },
  );

  test("of 15 s wakes nobody", async () => {
    const ticks = [openPager()];
    answer = "away";
    await look(ticks, 0, 15);
    answer = "writable";
    await look(ticks, 20, 40);
    expect(sent).toEqual([]);
  });

  test("is tried again with whoever could not be told", async () => {
    const ticks = [openPager()];
    answer = "away";
    down.add("pager");
    await look(ticks, 0, 30);
    expect(sent).toEqual([`oncall trigger sev1 ${KEY}`]);
    down.clear();
    await look(ticks, 35, 60);
    expect(sent).toEqual([`oncall trigger sev1 ${KEY}`, `pager trigger sev1 ${KEY}`]);
  });

  test("seen by two processes of a home is one message in chat, and one incident by its key", async () => {
    const ticks = [openPager(), openPager()];
    answer = "away";
    await look(ticks, 0, 60);
    expect(sent.filter((line) => line.startsWith("oncall"))).toHaveLength(1);
    expect(new Set(sent.filter((line) => line.startsWith("pager"))).size).toBe(1);
  });

  test("that outlives the process is not told again, and its end is told to all", async () => {
    answer = "away";
    await look([openPager()], 0, 30);
    const before = sent.length;
    const ticks = [openPager()];
    await look(ticks, 35, 90);
    expect(sent).toHaveLength(before);
    answer = "writable";
    await look(ticks, 95, 150);
    expect(sent).toHaveLength(before);
    await look(ticks, 155, 300);
    expect(sent.slice(before)).toEqual([`pager resolve sev1 ${KEY}`, `oncall resolve sev1 ${KEY}`]);
  });
});
