/** docs/states.md says what the code does: every move is tried from every state. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stepLevel } from "../../src/alert/level.js";
import { TRANSITIONS } from "../../src/alert/state.js";
import { JOB_STATUSES } from "../../src/job/job.js";
import { MOVES } from "../../src/job/transition.js";
import { RUN_STATUSES } from "../../src/runbook/run.js";
import type { Database } from "../../src/store/database.js";
import { withDatabase } from "../support/database.js";
import { makeLevel } from "../support/make-policy.js";
import { ROOT } from "./source-tree.js";
import { MACHINES, type Machine } from "./state-machines.js";

const text = readFileSync(join(ROOT, "docs/states.md"), "utf8");

const NAMES = /`([^`]+)`|(–)/g;
const namesIn = (cell: string) => [...cell.matchAll(NAMES)].map(([, name, none]) => name ?? none!);

interface Section {
  readonly states: readonly string[];
  /** `from → to`, by move. */
  readonly moves: Readonly<Record<string, readonly string[]>>;
}

function section(name: string): Section {
  const body = text.split(/^## /m).find((part) => part.startsWith(`${name}\n`)) ?? "";
  const states = /^States [^:]*: ([^.]*)\./ms.exec(body)?.[1] ?? "";
  const rows = [...body.matchAll(/^\| `([a-z-]+)` \|([^|]*)\|([^|]*)\|/gm)];
  return {
    states: namesIn(states),
    moves: Object.fromEntries(
      rows.map(([, move, from, to]) => [
        move!,
        namesIn(from!).flatMap((one) => namesIn(to!).map((other) => `${one} → ${other}`)),
      ]),
    ),
  };
}

const sorted = (moves: Section["moves"]) =>
  Object.fromEntries(Object.entries(moves).map(([move, ends]) => [move, [...ends].sort()]));

/** What the check constraint of the table allows, and an empty column where that is a state. */
async function allowedStates(
  db: Database,
  { table, stateColumn = "status", without }: Machine,
): Promise<string[]> {
  const { rows } = await db.query<{ rule: string }>(
    `SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint
     WHERE conrelid = $1::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE $2`,
    [table, `%(${stateColumn} =%`],
  );
  const written = [...rows[0]!.rule.matchAll(/'([^']+)'/g)].map(([, state]) => state!);
  return without === undefined ? written : [without, ...written];
}

async function stateOf(db: Database, machine: Machine, key: number): Promise<string> {
  const { table, keyColumn, stateColumn = "status", without = "–" } = machine;
  const { rows } = await db.query<{ state: string }>(
    `SELECT coalesce(${stateColumn}, $2) AS state FROM ${table} WHERE ${keyColumn} = $1`,
    [key, without],
  );
  return rows[0]?.state ?? "–";
}

async function observe(db: Database, machine: Machine): Promise<Record<string, string[]>> {
  const states = await allowedStates(db, machine);
  const seen: Record<string, string[]> = {};
  for (const [move, ways] of Object.entries(machine.moves)) {
    seen[move] = [];
    for (const from of machine.nothing ? ["–", ...states] : states) {
      for (const way of ways) {
        const key = await machine.put(db, from);
        const moved = await way(db, key, from);
        const to = await stateOf(db, machine, key);
        if (moved === true) seen[move].push(`${from} → ${to}`);
        if (moved === false) expect(to, `${move} from ${from} was refused`).toBe(from);
      }
    }
  }
  return seen;
}

describe.each(Object.entries(MACHINES))("the machine of a %s", (name, machines) => {
  test("has the states that the database allows", () =>
    withDatabase(async (db) => {
      const allowed = await allowedStates(db, machines[0]!);
      expect([...section(name).states].sort()).toEqual(allowed.sort());
    }));

  test("makes the moves of its table, and no other", () =>
    withDatabase(async (db) => {
      const seen: Record<string, string[]> = {};
      for (const machine of machines) Object.assign(seen, await observe(db, machine));
      expect(sorted(seen)).toEqual(sorted(section(name).moves));
    }));
});

test("types say the same states as the page", () => {
  expect(section("job").states).toEqual(JOB_STATUSES);
  expect(section("run").states).toEqual(RUN_STATUSES);
});

test("the legal moves of a job in code are those of the page", () => {
  const inCode = MOVES.map(({ name, from, to }) => [name, from.map((one) => `${one} → ${to}`)]);
  expect(sorted(Object.fromEntries(inCode))).toEqual(sorted(section("job").moves));
});

describe("the machine of an alert", () => {
  const MINUTE = 60_000;
  const NOW = 10 * MINUTE;
  const states = {
    inactive: null,
    pending: { phase: "pending", activeAt: NOW - MINUTE, recoveringSince: null, op: ">" },
    firing: { phase: "firing", activeAt: NOW - MINUTE, recoveringSince: null, op: ">" },
  } as const;
  const quick = makeLevel({ op: ">", value: 1, forMs: 0, recover: null });
  const slow = { ...quick, forMs: 2 * MINUTE };
  const held = { ...quick, forMs: MINUTE };

  test("makes the moves of its table, and no other", () => {
    const seen = new Set<string>();
    for (const [from, state] of Object.entries(states)) {
      for (const level of [quick, slow, held]) {
        for (const value of [0, 2]) {
          const after = stepLevel(level, state, { kind: "value", value }, NOW);
          const to = after?.phase ?? "inactive";
          if (to !== from) seen.add(`${from} → ${to}`);
        }
      }
    }
    const { moves } = section("alert");
    expect([...seen].sort()).toEqual([...new Set(Object.values(moves).flat())].sort());
    expect(section("alert").states).toEqual(Object.keys(states));
  });

  test("is told by the transitions of the page", () => {
    const told = /^What is told of it [^:]*: ([^.]*)\.\s+A runbook/ms.exec(text)?.[1] ?? "";
    expect(namesIn(told)).toEqual(TRANSITIONS);
  });
});
