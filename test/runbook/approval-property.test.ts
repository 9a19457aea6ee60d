/** Approvals under any order of clicks: what may never be, of the judge alone and of two connections at once. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Access, Door, Person, Role } from "../../src/policy/policy.js";
import {
  type ApprovalRequest,
  judgeVote,
  type Vote,
  votesThatStand,
} from "../../src/runbook/approval.js";
import type { ApprovalRule } from "../../src/runbook/authorize.js";
import { findPerson } from "../../src/runbook/identity.js";
import type { Run } from "../../src/runbook/run.js";
import { expireApprovals, openApproval, readApproval } from "../../src/store/approval-requests.js";
import { type Cast, castVote } from "../../src/store/approvals.js";
import { verifyAudit } from "../../src/store/audit.js";
import type { Database, Sql } from "../../src/store/database.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePerson } from "../support/make-policy.js";
import { ACCESS, makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";

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
  authors: fc.subarray(["bob", "cleo", "dan"]),
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
      runbook: "fix",
      requester: "ann",
      authors: story.authors,
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
        // Who wrote it may be among them, and is never all of them.
        expect([...names].some((name) => !story.authors.includes(name))).toBe(true);
        expect(names).not.toContain("mallory");
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

test("such stories come to every end, also those in which only authors agree", () => {
  const played = fc
    .sample(aStory, { numRuns: RUNS, seed: 7 })
    .map((story) => ({ story, ...play(story) }));
  expect(new Set(played.map(({ outcome }) => outcome))).toEqual(
    new Set([null, "approved", "denied"]),
  );
  const isByAuthors = ({ story, votes, outcome }: (typeof played)[number]) =>
    outcome === null &&
    votes.length >= story.needed &&
    votes.every(({ person }) => story.authors.includes(person));
  expect(played.some(isByAuthors)).toBe(true);
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

const STORIES = 60;
const HASHES = ["a", "b", "c"].map((letter) => letter.repeat(64));

type Blow =
  | {
      readonly kind: "click";
      readonly who: string;
      readonly button: "present" | "first" | "none";
      readonly plan: number | null;
      readonly says: "approve" | "deny";
    }
  | { readonly kind: "replan" }
  | { readonly kind: "expire" }
  | { readonly kind: "sweep" };

const aBlow: fc.Arbitrary<Blow> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("click" as const),
      who: fc.constantFrom("ann", "bob", "bob", "cleo", "dan", "mallory"),
      button: fc.constantFrom(
        "present" as const,
        "present" as const,
        "first" as const,
        "none" as const,
      ),
      plan: fc.constantFrom(null, null, 0, 1),
      says: fc.constantFrom<"approve" | "deny">("approve", "approve", "approve", "approve", "deny"),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "replan" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "expire" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "sweep" as const }) },
);
const someAuthors = fc.constantFrom<readonly string[]>([], ["bob"], ["bob", "cleo"]);
/** Blows of one round fall at once, on connections of their own. */
const rounds = fc.array(fc.array(aBlow, { minLength: 2, maxLength: 2 }), {
  minLength: 1,
  maxLength: 3,
});

describe("with two connections at once", () => {
  let lent: TestDatabase;
  let db: Database;
  beforeAll(async () => {
    lent = await createTestDatabase();
    db = lent.db;
  });
  afterAll(() => lent.drop());

  const registry = makeRegistry(makeRunbook("fix"));
  const access: Access = {
    ...ACCESS,
    people: ["ann", "bob", "cleo", "dan"].map((name) =>
      makePerson(name, { slack: [`T1/U${name}`] }),
    ),
  };
  let made = 0;

  async function park(needed: number, authors: readonly string[]) {
    made += 1;
    const actor = { name: "ann", role: "operator", door: "slack", person: "ann" } as const;
    const id = await queueRun(db, registry, "fix", { actor, params: { note: `story ${made}` } });
    const run = (await readRun(db, id))!;
    await db.query("UPDATE public.jobs SET status = 'completed' WHERE seq = $1", [run.jobSeq]);
    const rule = { needed, authors, role: "operator", team: null, withinMs: 60_000 } as const;
    const first = await db.transaction((tx) => ask(tx, run, rule, 0));
    return { id, run, rule, first: first.nonce };
  }

  /** As its executor does when it has made the plan, or has made it anew. */
  async function ask(tx: Sql, run: Run, rule: ApprovalRule, plan: number) {
    await tx.query("SELECT FROM control.run WHERE seq = $1 FOR UPDATE", [run.seq]);
    await tx.query(
      "UPDATE control.run SET waiting_for = 'approval', job_seq = NULL WHERE seq = $1",
      [run.seq],
    );
    return openApproval(tx, run, { rule, boundHash: HASHES[plan]! });
  }

  type Parked = Awaited<ReturnType<typeof park>>;

  async function strike({ id, run, rule, first }: Parked, blow: Blow): Promise<Cast | null> {
    if (blow.kind === "sweep") await db.transaction(expireApprovals);
    if (blow.kind === "expire")
      await db.query(
        "UPDATE control.approval_request SET expires_at = now() WHERE run_seq = $1 AND outcome IS NULL",
        [run.seq],
      );
    if (blow.kind === "replan")
      await db.transaction(async (tx) => {
        const { rows } = await tx.query<{ status: string; waiting: string | null }>(
          "SELECT status, waiting_for AS waiting FROM control.run WHERE seq = $1 FOR UPDATE",
          [run.seq],
        );
        if (rows[0]?.waiting === "approval") await ask(tx, run, rule, 1);
      });
    if (blow.kind !== "click") return null;
    const present =
      blow.button === "present" ? ((await readApproval(db, run.seq))?.nonce ?? null) : null;
    return castVote(db, {
      claim: { door: "slack", team: "T1", user: `U${blow.who}` },
      runId: id,
      nonce: blow.button === "first" ? first : present,
      boundHash: blow.plan === null ? null : HASHES[blow.plan]!,
      decision: blow.says,
      access,
    });
  }

  async function look({ id, run }: Parked) {
    const { rows } = await db.query<{
      released: number;
      refused: number;
      status: string;
      outcome: string | null;
    }>(
      `SELECT (SELECT count(*) FROM public.jobs WHERE payload ->> 'run_id' = $1 AND status = 'pending')::int AS released,
         (SELECT count(*) FROM public.audit_log WHERE target = $1 AND action = 'approval.refused')::int AS refused,
         run.status, ask.outcome FROM control.run JOIN control.approval_request ask ON ask.run_seq = run.seq
       WHERE run.id = $1`,
      [id],
    );
    return { ...rows[0]!, kept: (await readApproval(db, run.seq))! };
  }

  test("nobody gets past it, and every refusal is in the audit", { timeout: 60_000 }, async () => {
    const ends: (string | null)[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 }),
        someAuthors,
        rounds,
        async (needed, authors, story) => {
          const parked = await park(needed, authors);
          const casts: (Cast | null)[] = [];
          for (const round of story)
            casts.push(...(await Promise.all(round.map((blow) => strike(parked, blow)))));
          const clicks = casts.filter((cast) => cast !== null);
          const after = await look(parked);
          ends.push(after.outcome);
          expect(after.refused).toBe(clicks.filter(({ accepted }) => !accepted).length);
          const deciding = clicks.filter(
            ({ reason }) => reason === "approved" || reason === "denied",
          );
          expect(deciding.length).toBeLessThanOrEqual(1);
          for (const { accepted, person } of clicks)
            if (person === "ann" || person === null) expect(accepted).toBe(false);
          expect(after.released).toBe(after.outcome === null ? 0 : 1);
          if (after.outcome !== "approved") return;
          const agreed = after.kept.votes.filter(({ decision }) => decision === "approve");
          expect(new Set(agreed.map(({ person }) => person)).size).toBeGreaterThanOrEqual(needed);
          expect(agreed.map(({ person }) => person)).not.toContain("ann");
          expect(agreed.every(({ person }) => authors.includes(person))).toBe(false);
          expect(after.status).toBe("queued");
        },
      ),
      { numRuns: STORIES },
    );
    expect(ends).toContain("approved");
    expect(await verifyAudit(db)).toMatchObject({ ok: true });
  });
});
