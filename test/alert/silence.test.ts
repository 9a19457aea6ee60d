import { describe, expect, test } from "vitest";
import {
  alertLabels,
  findSilence,
  gitSilenceId,
  isIdle,
  type Silence,
  stateOfSilence,
} from "../../src/alert/silence.js";
import {
  checkSilence,
  type NewSilence,
  planUpdate,
  type SilenceGround,
} from "../../src/alert/silence-wish.js";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/base/duration.js";
import { readMatcher } from "../../src/policy/matcher.js";
import { makeLevel, makeRule } from "../support/make-policy.js";

const NOW = new Date("2026-03-01T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);

const QUEUE = makeRule({
  by: ["worker_type"],
  levels: [
    makeLevel({ id: "AR-06", severity: "sev2" }),
    makeLevel({ id: "AR-07", severity: "sev1" }),
  ],
});
const DOWN = makeRule({
  name: "orchestrator-down",
  levels: [makeLevel({ id: "AR-05", severity: "sev1" })],
});
const GROUND: SilenceGround = {
  limits: { longestMs: 30 * DAY_MS, longestPagesMs: 4 * HOUR_MS },
  rules: [QUEUE, DOWN],
};

function matchersOf(...texts: string[]) {
  return texts.map((text) => {
    const read = readMatcher(text);
    if (!read.ok) throw new Error(`${text}: ${read.reason}`);
    return read.value;
  });
}

function makeWish(overrides: Partial<NewSilence> = {}): NewSilence {
  return {
    id: null,
    matchers: matchersOf("alertname=queue-depth-high"),
    startsAt: NOW,
    endsAt: later(HOUR_MS),
    createdBy: "ann",
    comment: "a migration of the index",
    silencesPages: false,
    ...overrides,
  };
}

function makeSilence(overrides: Partial<Silence> = {}): Silence {
  const { id: _, ...wish } = makeWish();
  const identity = { id: "a", source: "api", name: null, updatedAt: NOW } as const;
  return { ...wish, ...identity, ...overrides };
}

describe("what a silence holds back", () => {
  const [mild, page] = QUEUE.levels;
  const mildLabels = alertLabels("algobrain", QUEUE, mild!, { worker_type: "index" });
  const pageLabels = alertLabels("algobrain", QUEUE, page!, { worker_type: "index" });

  test.each([
    [["alertname=queue-depth-high"], true],
    [["rule=queue-depth-high", "worker_type=index"], true],
    [["rule=queue-depth-high", "worker_type=score"], false],
    [["level=AR-06", 'worker_type=~"ind.*|score"'], true],
    [["level=AR-06", 'worker_type!~"ind.*"'], false],
    [["severity=sev2", "system=algobrain"], true],
    [["worker_type=~ind"], false],
    // A label that is not there is the empty text.
    [["rule=queue-depth-high", "host="], true],
    [["rule=queue-depth-high", "host!="], false],
  ])("%j: %s", (texts, expected) => {
    const active = [makeSilence({ matchers: matchersOf(...texts) })];
    expect(findSilence(active, mildLabels, "sev2") !== null).toBe(expected);
  });

  test("sev1 only by those that say so", () => {
    const quiet = makeSilence({ id: "a" });
    const all = makeSilence({ id: "b", silencesPages: true });
    expect(findSilence([quiet], pageLabels, "sev1")).toBeNull();
    expect(findSilence([quiet, all], pageLabels, "sev1")?.id).toBe("b");
    expect(findSilence([quiet, all], mildLabels, "sev2")?.id).toBe("a");
  });

  test("a rule's own label does not pass for another rule", () => {
    const labels = alertLabels("algobrain", QUEUE, mild!, { rule: "orchestrator-down" });
    const matchers = matchersOf("rule=orchestrator-down");
    expect(findSilence([makeSilence({ matchers })], labels, "sev2")).toBeNull();
  });
});

test("a silence holds from its start, and no longer at its end", () => {
  const silence = makeSilence();
  expect(stateOfSilence(silence, later(-1))).toBe("pending");
  expect(stateOfSilence(silence, NOW)).toBe("active");
  expect(stateOfSilence(silence, later(HOUR_MS - 1))).toBe("active");
  expect(stateOfSilence(silence, later(HOUR_MS))).toBe("expired");
});

test("one that has hidden nothing for a quarter of an hour is flagged", () => {
  const silence = makeSilence();
  expect(isIdle(silence, null, later(15 * MINUTE_MS))).toBe(false);
  expect(isIdle(silence, null, later(15 * MINUTE_MS + 1))).toBe(true);
  expect(isIdle(silence, later(MINUTE_MS), later(30 * MINUTE_MS))).toBe(false);
  expect(isIdle(silence, null, later(2 * HOUR_MS))).toBe(false);
});

test("a silence of Git has one id, whoever lays it in: a UUID of version 5", () => {
  const id = gitSilenceId("algobrain", "quiet", "2026-03-01T12:00:00.000Z");
  // Python: uuid.uuid5(uuid.NAMESPACE_URL, "algobrain:silence/algobrain/quiet/2026-03-01T12:00:00.000Z")
  expect(id).toBe("f7a29354-419e-5e9d-98db-72950cb2104c");
  expect(gitSilenceId("algobrain", "quiet", "2026-03-02T12:00:00.000Z")).not.toBe(id);
});

describe("what may be asked for", () => {
  const refusalOf = (overrides: Partial<NewSilence>) =>
    checkSilence(makeWish(overrides), GROUND, NOW).join("; ");

  test.each([
    ["a level", { matchers: matchersOf("level=AR-06") }],
    ["some of a rule", { matchers: matchersOf("level=AR-06", "worker_type=~ind.*", "host=") }],
    ["a rule that pages as well: only the rest of it is held back", {}],
    [
      "a page that says so",
      { matchers: matchersOf("alertname=orchestrator-down"), silencesPages: true },
    ],
    ["to the longest", { endsAt: later(30 * DAY_MS) }],
  ])("%s", (_, overrides) => {
    expect(refusalOf(overrides)).toBe("");
  });

  test.each<[string, Partial<NewSilence>, string]>([
    ["nobody", { createdBy: " " }, "createdBy is empty"],
    ["no reason", { comment: "" }, "comment is empty"],
    ["nothing to match", { matchers: [] }, "at least one matcher"],
    ["an end before its start", { endsAt: later(-HOUR_MS) }, "start time must be before end time"],
    [
      "an end in the past",
      { startsAt: later(-2 * HOUR_MS), endsAt: later(-HOUR_MS) },
      "end time can't be in the past",
    ],
    [
      "longer than 30 days",
      { endsAt: later(30 * DAY_MS + 1_000) },
      "at most 30d, found 30d1s: end it by 2026-03-31T12:00:00.000Z",
    ],
    [
      "pages for longer than 4 hours",
      { silencesPages: true, endsAt: later(5 * HOUR_MS) },
      "holds pages back lasts at most 4h, found 5h",
    ],
    ["the whole system", { matchers: matchersOf("system=algobrain") }, "would hide every alert"],
    ["all but one", { matchers: matchersOf("rule!=api-down") }, "would hide every alert"],
    ["any name", { matchers: matchersOf("alertname=~.+") }, "would hide every alert"],
    ["any level", { matchers: matchersOf("level=~AR-.*") }, "would hide every alert"],
    ["a severity", { matchers: matchersOf("severity=sev2") }, "would hide every alert"],
    [
      "what pages, without saying so",
      { matchers: matchersOf("alertname=orchestrator-down") },
      "names only what pages (AR-05) and does not say so: write [pages] into the comment",
    ],
    [
      "the paging level of a rule",
      { matchers: matchersOf("rule=queue-depth-high", "severity=sev1") },
      "names only what pages (AR-07)",
    ],
    [
      "a rule that is not there",
      { matchers: matchersOf("alertname=queue-dept-high") },
      'did you mean "queue-depth-high"?',
    ],
    [
      "a label that its alerts do not have",
      { matchers: matchersOf("rule=queue-depth-high", "host=a") },
      "alerts of queue-depth-high have no host, only alertname, rule, level, severity, system, worker_type",
    ],
    ["a slow pattern", { matchers: matchersOf("rule=~(a+)+b") }, "repeats a group"],
    [
      "a label without a name",
      { matchers: [{ name: "a b", value: "", isRegex: false, isEqual: true }] },
      "no name of a label",
    ],
    [
      "a huge value",
      { matchers: [{ name: "rule", value: "x".repeat(1_001), isRegex: false, isEqual: true }] },
      "has 1001 characters, expected at most 1000",
    ],
  ])("not %s", (_, overrides, sentence) => {
    expect(refusalOf(overrides)).toContain(sentence);
  });
});

describe("a change of a silence", () => {
  const active = makeSilence({ startsAt: later(-HOUR_MS) });
  const pending = makeSilence({ startsAt: later(HOUR_MS), endsAt: later(2 * HOUR_MS) });
  const expired = makeSilence({ startsAt: later(-2 * HOUR_MS), endsAt: later(-HOUR_MS) });
  const wishOf = (silence: Silence, overrides: Partial<NewSilence> = {}) =>
    makeWish({ ...silence, ...overrides });

  test.each<[string, Silence, Partial<NewSilence>, string]>([
    ["a later end", active, { endsAt: later(5 * HOUR_MS) }, "in-place"],
    ["an earlier end", active, { endsAt: later(MINUTE_MS) }, "in-place"],
    ["another reason", active, { comment: "still at it" }, "in-place"],
    ["another start of one that began", active, { startsAt: NOW }, "expire-and-new"],
    ["other matchers", active, { matchers: matchersOf("level=AR-06") }, "expire-and-new"],
    ["another start of one to come", pending, { startsAt: later(MINUTE_MS) }, "in-place"],
    ["a past start of one to come", pending, { startsAt: later(-1) }, "expire-and-new"],
    ["anything of one that is over", expired, { endsAt: later(HOUR_MS) }, "expire-and-new"],
  ])("%s", (_, existing, overrides, expected) => {
    expect(planUpdate(existing, wishOf(existing, overrides), NOW)).toBe(expected);
  });

  test("of Git is made in Git", () => {
    const git = makeSilence({ source: "git", name: "quiet" });
    expect(planUpdate(git, wishOf(git), NOW)).toEqual({
      refused: expect.stringContaining("quiet of silences.yaml: change it there"),
    });
  });
});
