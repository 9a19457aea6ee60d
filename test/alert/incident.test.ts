import { describe, expect, test } from "vitest";
import {
  dueEscalation,
  durationOf,
  type Incident,
  incidentNumber,
  postMortemDue,
  respondBy,
} from "../../src/alert/incident.js";
import { incidentLog, postMortemDraft } from "../../src/alert/post-mortem.js";
import { mergeTimeline, type TimelineEntry, timelineMarkdown } from "../../src/alert/timeline.js";
import { HOUR_MS, MINUTE_MS } from "../../src/base/duration.js";
import { RESPONSE_DEFAULTS } from "../../src/policy/defaults.js";

const at = (text: string) => new Date(`2026-11-${text}Z`);

const incident = (overrides: Partial<Incident> = {}): Incident => ({
  ...{ number: "INC-2026-11-20-001", title: "Queue depth high", severity: "sev1", status: "open" },
  ...{ causeKey: null, openedBy: "api:ann", openedAt: at("20T03:05:00"), closedBy: null },
  startedAt: at("20T03:00:00"),
  ...{ acknowledgedBy: null, acknowledgedAt: null, resolvedAt: null, closedAt: null },
  respondBy: at("20T03:20:00"),
  ...{ findings: null, postMortemDue: null, roles: {} },
  ...overrides,
});

const closedOne = incident({
  status: "closed",
  resolvedAt: at("20T04:10:00"),
  findings: {
    symptoms: "Jobs waited.",
    rootCause: "A <script> of @ann.",
    resolution: "Restarted.",
    prevention: "A cap.",
  },
});

describe("the number of an incident", () => {
  test.each([
    [1, "INC-2026-11-22-001"],
    [42, "INC-2026-11-22-042"],
    [1_000, "INC-2026-11-22-1000"],
  ])("the %d. of a day is %s", (ordinal, number) => {
    expect(incidentNumber("2026-11-22", ordinal)).toBe(number);
  });
});

describe("somebody answers (X-26)", () => {
  test.each([
    ["sev1", "20T12:00:00", "20T12:15:00"],
    ["sev2", "20T12:00:00", "20T13:00:00"],
    ["sev3", "20T12:00:00", "20T16:00:00"],
    // A Friday: on Monday, until the evening.
    ["sev4", "20T12:00:00", "23T17:00:00"],
    ["sev4", "21T00:00:00", "23T17:00:00"],
    ["sev4", "22T23:59:59", "23T17:00:00"],
    ["sev4", "23T00:00:00", "24T17:00:00"],
  ] as const)("%s of %s by %s", (severity, opened, by) => {
    expect(respondBy(severity, at(opened), RESPONSE_DEFAULTS)).toEqual(at(by));
  });
});

describe("the escalation of what nobody answers", () => {
  const steps = [0, 15, 30, 60].map((minutes) => ({
    role: `r${minutes}`,
    afterMs: minutes * MINUTE_MS,
  }));
  const due = (minutes: number, told: number, status: Incident["status"] = "open") =>
    dueEscalation(
      incident({ status }),
      steps,
      told,
      new Date(at("20T03:05:00").getTime() + minutes * MINUTE_MS),
    ).map(({ role }) => role);

  test.each([
    ["is not due while there is time", 14, 0, []],
    ["begins when the answer is late", 15, 0, ["r0", "r15"]],
    ["tells no step twice", 20, 2, []],
    ["goes on with the next", 31, 2, ["r30"]],
    ["catches up after a pause", 90, 1, ["r15", "r30", "r60"]],
    ["ends with the last", 500, 4, []],
  ] as const)("%s", (_, minutes, told, roles) => {
    expect(due(minutes, told)).toEqual(roles);
  });

  test("calls the first even where every step has a later time than the answer", () => {
    const late = [{ role: "only", afterMs: HOUR_MS }];
    const now = at("20T03:21:00");
    expect(dueEscalation(incident(), late, 0, now)).toEqual(late);
    expect(dueEscalation(incident(), late, 1, now)).toEqual([]);
  });

  test("ends when somebody has answered", () => {
    expect([due(90, 0, "acknowledged"), due(90, 0, "closed")]).toEqual([[], []]);
  });
});

describe("a closed incident", () => {
  test("says how long it lasted, from when it began", () => {
    expect(durationOf(closedOne)).toBe("1h10m");
    expect(durationOf(incident())).toBeNull();
  });

  test("is reviewed where the policy asks for it (LB-slo-02)", () => {
    const rules = {
      openFor: [],
      postMortemFor: ["sev1"],
      postMortemWithinMs: 48 * HOUR_MS,
    } as const;
    const now = at("20T05:00:00");
    expect(postMortemDue("sev1", now, rules)).toEqual(at("22T05:00:00"));
    expect(postMortemDue("sev2", now, rules)).toBeNull();
  });

  test("is logged with exactly the parts of AM-inc-01", () => {
    expect(incidentLog(closedOne)).toBe(`# INC-2026-11-20-001

- **ID**: INC-2026-11-20-001
- **Severity**: High
- **Started**: 2026-11-20T03:00:00.000Z
- **Resolved**: 2026-11-20T04:10:00.000Z
- **Duration**: 1h10m

## Symptoms

Jobs waited.

## Root cause

A &lt;script&gt; of \\@ann.

## Resolution

Restarted.

## Prevention

A cap.
`);
  });
});

describe("a timeline", () => {
  const entry = (when: string, text: string, overrides: Partial<TimelineEntry> = {}) => ({
    ...{ at: at(when), source: "alert" as const, text, by: null },
    ...overrides,
  });

  test("puts what came from everywhere into one order, by day, and keeps the order of one moment", () => {
    const entries = mergeTimeline(
      [entry("20T03:01:00", "fired"), entry("21T03:30:00", "resolved")],
      [
        entry("20T02:58:00", "policy revision 7", { source: "policy" }),
        entry("20T03:01:00", "page", { source: "page", by: "alerts" }),
      ],
    );
    expect(timelineMarkdown(closedOne, entries)).toBe(`# INC-2026-11-20-001: Queue depth high

sev1, closed, since 2026-11-20 03:00 UTC, lasted 1h10m


## 2026-11-20

- 02:58:00 (-2 min) **policy** policy revision 7
- 03:01:00 (+1 min) **alert** fired
- 03:01:00 (+1 min) **page** page, by alerts

## 2026-11-21

- 03:30:00 **alert** resolved
`);
  });

  test("cannot be broken out of, and is bounded", () => {
    const evil = entry("20T03:01:00", "x\n# heading <img src=x> @everyone `code`");
    const page = timelineMarkdown(closedOne, [evil]);
    expect(page).not.toMatch(/^# heading/m);
    expect(page).not.toContain("<img");
    const many = Array.from({ length: 600 }, () => evil);
    const long = timelineMarkdown(closedOne, many);
    expect([long.match(/^- /gm)?.length, long.includes("… and 100 more")]).toEqual([500, true]);
  });

  test("is part of the draft for the review, beside who did what", () => {
    const draft = postMortemDraft(
      {
        ...closedOne,
        acknowledgedBy: "slack:U1",
        acknowledgedAt: at("20T03:12:00"),
        roles: { commander: "ann" },
      },
      [entry("20T03:01:00", "fired")],
    );
    expect(draft).toContain("slack:U1 acknowledged it 7 minutes after it was opened.");
    expect(draft).toContain("- commander: ann");
    expect(draft).toContain("### 2026-11-20\n\n- 03:01:00 (+1 min) **alert** fired");
    expect(draft.match(/^# /gm)).toHaveLength(1);
  });
});
