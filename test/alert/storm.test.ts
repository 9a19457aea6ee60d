import fc from "fast-check";
import { expect, test } from "vitest";
import { digestMessage, type digestSeverity } from "../../src/alert/digest-message.js";
import { admit, type LaneState, newLane, weather } from "../../src/alert/storm.js";

const SECOND = 1_000;
const MAX = 20;
const at = (now: number, firedLastMinute = 0) => ({
  ...{ perMinuteMax: MAX, stormPerMinute: 50, firedLastMinute, now },
});

test("a full bucket is said message by message, then a digest, and a third of a minute later a third of it", () => {
  let lane = newLane(MAX, 0);
  const say = (now: number, times: number) =>
    Array.from({ length: times }, () => {
      const { lane: after, verdict } = admit(lane, { ...at(now), critical: false });
      lane = after;
      return verdict;
    }).filter((verdict) => verdict === "send").length;
  expect([say(0, 30), say(20 * SECOND, 30), say(80 * SECOND, 30)]).toEqual([6 + 14, 6, 20]);
});

test("a storm folds all but pages, and is over two minutes after it has calmed", () => {
  const full = newLane(MAX, 0);
  const storm = admit(full, { ...at(0, 51), critical: false });
  expect(storm).toMatchObject({ verdict: "digest", stormOver: false, lane: { stormSince: 0 } });
  expect(admit(storm.lane, { ...at(0, 51), critical: true }).verdict).toBe("send");
  const steps = [30, 60, 149, 150].map((seconds) => seconds * SECOND);
  let lane: LaneState = storm.lane;
  const overs = steps.map((now) => {
    const done = weather(lane, at(now, 50));
    lane = done.lane;
    return done.stormOver;
  });
  expect(overs).toEqual([false, false, false, true]);
  expect(admit(lane, { ...at(151 * SECOND), critical: false }).verdict).toBe("send");
});

test("a storm that pauses for a moment is the same one", () => {
  const storm = weather(newLane(MAX, 0), at(0, 51)).lane;
  const calm = weather(storm, at(60 * SECOND, 3)).lane;
  const again = weather(calm, at(90 * SECOND, 51)).lane;
  expect(again).toMatchObject({ stormSince: 0, calmSince: null });
});

test("whatever happens, no minute has more than two buckets, and tokens are never owed", () => {
  const wishes = fc.array(fc.nat({ max: 5 * SECOND }), { maxLength: 200 });
  fc.assert(
    fc.property(wishes, (pauses) => {
      let [lane, now] = [newLane(MAX, 0), 0];
      const sent: number[] = [];
      for (const pause of pauses) {
        now += pause;
        const { lane: after, verdict } = admit(lane, { ...at(now), critical: true });
        lane = after;
        if (verdict === "send") sent.push(now);
        expect(lane.tokens).toBeGreaterThanOrEqual(0);
        expect(lane.tokens).toBeLessThanOrEqual(MAX);
      }
      for (const from of sent)
        expect(sent.filter((one) => one >= from && one < from + 60 * SECOND).length).toBeLessThan(
          2 * MAX + 1,
        );
    }),
    { seed: 20_261_122, numRuns: 100 },
  );
});

test("a clock that goes back makes no tokens", () => {
  const empty: LaneState = {
    tokens: 0,
    refilledAt: 60 * SECOND,
    stormSince: null,
    calmSince: null,
  };
  const back = admit(empty, { ...at(0), critical: true });
  expect([back.verdict, back.lane.refilledAt]).toEqual(["digest", 60 * SECOND]);
});

test("a digest names the first kinds, counts all, and is as severe as the worst", () => {
  const part = (n: number) =>
    ({
      ...{ rule: `rule-${n}`, level: `L${n}`, severity: n === 3 ? "sev2" : "sev3", alerts: n + 1 },
      ...{ action: n === 2 ? "resolve" : "trigger", groupKey: `rule-${n}/host=x` },
    }) as Parameters<typeof digestSeverity>[0][number];
  const parts = [0, 1, 2, 3].map(part);
  const message = digestMessage({ parts, isStorm: false, namedMax: 3, noticeId: 7 });
  expect(message).toEqual({
    tone: "bad",
    title: "More alerts than one can read: 7 firing, 3 over, of 4 rules (SEV2 at worst)",
    text: "They are told here together, at most once a minute. None is left out.",
    fields: [
      { label: "rule-0 (L0)", value: "host=x" },
      { label: "rule-1 (L1)", value: "2 alerts" },
      { label: "rule-2 (L2)", value: "3 alerts, over" },
      { label: "And more", value: "1 kinds" },
    ],
    footer: "all of them: GET /api/v1/alerts/digests/7",
  });
});
