/** Approvals under any order of clicks: a model that only counts, against the judge that decides. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Access, Door, Person, Role } from "../../src/policy/policy.js";
import {
  type ApprovalRequest,
  judgeVote,
  type Vote,
  votesThatStand,
} from "../../src/runbook/approval.js";
import { findPerson } from "../../src/runbook/identity.js";

const RUNS = 1_000;
const PEOPLE = ["ann", "bob", "cleo", "dan", "eve"] as const;

const aPerson = (name: string): fc.Arbitrary<Person> =>
  fc.record({
    name: fc.constant(name),
    role: fc.constantFrom<Role>("viewer", "operator", "admin"),
    slack: fc.constant([`T1/U${name}`]),
    github: fc.constant(null),
    subjects: fc.constant([name]),
    teams: fc.subarray(["payments", "search"]),
  });

type Event =
  | {
      readonly kind: "click";
      readonly who: string;
      readonly door: Door;
      readonly plan: number;
      readonly says: "approve" | "deny";
    }
  | { readonly kind: "replan" }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "demote"; readonly who: string };

const anEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("click" as const),
      // A forged user is one that nobody entered.
      who: fc.constantFrom(...PEOPLE, "mallory"),
      door: fc.constantFrom<Door>("slack", "slack", "api", "cli", "pagerduty"),
      plan: fc.integer({ min: 0, max: 2 }),
      says: fc.constantFrom<"approve" | "deny">("approve", "approve", "approve", "deny"),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "replan" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.integer({ min: 1, max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("demote" as const), who: fc.constantFrom(...PEOPLE) }),
  },
);

const aStory = fc.record({
  people: fc.tuple(...PEOPLE.map(aPerson)),
  needed: fc.integer({ min: 1, max: 3 }),
  role: fc.constantFrom<Role>("operator", "admin"),
  team: fc.constantFrom(null, "payments"),
  author: fc.constantFrom(null, "bob"),
  events: fc.array(anEvent, { maxLength: 25 }),
});
type Story = typeof aStory extends fc.Arbitrary<infer S> ? S : never;

const LASTS_MS = 100;

/** Plays a story; after each released run it says who had agreed to which plan. */
function play(story: Story) {
  let people: Person[] = [...story.people];
  let nowMs = 0;
  let plan = 0;
  let votes: Vote[] = [];
  let outcome: string | null = null;
  const released: {
    votes: readonly Vote[];
    people: readonly Person[];
    atMs: number;
    plan: number;
  }[] = [];
  const clicks: {
    event: Extract<Event, { kind: "click" }>;
    accepted: boolean;
    planThen: number;
    late: boolean;
    overThen: boolean;
  }[] = [];
  for (const event of story.events) {
    if (event.kind === "wait") nowMs += event.ms;
    if (event.kind === "demote")
      people = people.map((one) => (one.name === event.who ? { ...one, role: "viewer" } : one));
    if (event.kind === "replan" && outcome === null) {
      plan += 1;
      votes = [];
    }
    if (event.kind !== "click") continue;
    const access = {
      people,
      groups: {},
      rules: [],
      serviceRoles: { pagerduty: "operator", policy: "operator" },
    } satisfies Access;
    const request: ApprovalRequest = {
      runId: "run-1",
      boundHash: `plan-${plan}`,
      needed: story.needed,
      role: story.role,
      team: story.team,
      requester: "ann",
      author: story.author,
      expiresAt: new Date(LASTS_MS),
      outcome,
    };
    const person = findPerson(access, { door: "slack", team: "T1", user: `U${event.who}` });
    const cast = {
      person,
      door: event.door,
      decision: event.says,
      boundHash: `plan-${event.plan}`,
    };
    const verdict = judgeVote(
      request,
      votesThatStand(request, votes, access),
      cast,
      new Date(nowMs),
    );
    clicks.push({
      event,
      accepted: verdict.accepted,
      planThen: plan,
      late: nowMs >= LASTS_MS,
      overThen: outcome !== null,
    });
    if (!verdict.accepted) continue;
    votes = [
      ...votes.filter((one) => one.person !== event.who),
      { person: event.who, decision: event.says },
    ];
    if (verdict.reason === "denied") outcome = "denied";
    if (verdict.reason === "approved") {
      outcome = "approved";
      released.push({ votes, people, atMs: nowMs, plan });
    }
  }
  return { released, clicks, votes, outcome };
}

test("a run is let go once, by enough distinct people who may, in time, for the plan that stands", () => {
  fc.assert(
    fc.property(aStory, (story) => {
      const { released } = play(story);
      expect(released.length).toBeLessThanOrEqual(1);
      for (const { votes, people, atMs } of released) {
        const agreeing = votes.filter(({ person, decision }) => {
          const now = people.find(({ name }) => name === person);
          const isHigh =
            now?.role === "admin" || (now?.role === "operator" && story.role === "operator");
          const isIn = story.team === null || now?.teams.includes(story.team);
          return decision === "approve" && isHigh && isIn;
        });
        const names = new Set(agreeing.map(({ person }) => person));
        expect(names.size).toBeGreaterThanOrEqual(story.needed);
        expect(names).not.toContain("ann");
        expect(names).not.toContain("mallory");
        expect([...names].some((name) => name !== story.author)).toBe(true);
        expect(atMs).toBeLessThan(LASTS_MS);
      }
    }),
    { numRuns: RUNS },
  );
});

test("self, forged, late, replayed, changed and terminal clicks never count", () => {
  fc.assert(
    fc.property(aStory, (story) => {
      for (const { event, accepted, planThen, late, overThen } of play(story).clicks) {
        const mustFail =
          event.who === "ann" ||
          event.who === "mallory" ||
          (event.door !== "slack" && event.door !== "api") ||
          event.plan !== planThen ||
          late ||
          overThen;
        if (mustFail) expect(accepted).toBe(false);
      }
    }),
    { numRuns: RUNS },
  );
});

test("one no ends it for good", () => {
  fc.assert(
    fc.property(aStory, (story) => {
      const { clicks, released } = play(story);
      const denied = clicks.findIndex(({ event, accepted }) => accepted && event.says === "deny");
      if (denied < 0) return;
      expect(released).toEqual([]);
      expect(clicks.slice(denied + 1).every(({ accepted }) => !accepted)).toBe(true);
    }),
    { numRuns: RUNS },
  );
});
