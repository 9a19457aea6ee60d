/** What a run did is taken back when it did not work out: last first, once, and where that fails a person is woken. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import type { JsonObject } from "../../src/base/json.js";
import type { Repeat, Runbook } from "../../src/runbook/define.js";
import type { Recorder } from "../../src/runbook/execution.js";
import type { Run, StepRecord } from "../../src/runbook/run.js";
import type { RuntimeWord } from "../../src/runtime/runtime-word.js";
import type { Database } from "../../src/store/database.js";
import { cancelRun } from "../../src/store/run-endings.js";
import { readSteps } from "../../src/store/run-steps.js";
import { undoRun } from "../../src/store/run-undo.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { ANN, makeRegistry, makeRunbook, queueRun, workOn } from "../support/runbook-world.js";
import { until } from "../support/until.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent.drop());

type Step = Runbook["steps"][number];
type Undo = Exclude<Step["undo"], undefined | { readonly never: string }>;

/** One that writes down what happens to it. */
function makeWorld(name: string, more: { verify?: "passed" | "failed" } = {}) {
  const did: string[] = [];
  const step = (word: string, undo: Partial<Undo> | null = {}, run?: Step["run"]): Step => ({
    name: word,
    repeat: "safe",
    run:
      run ??
      (async () => {
        did.push(word);
        return { text: word, value: { was: `before ${word}` } };
      }),
    ...(undo === null
      ? {}
      : {
          undo: {
            name: `undo ${word}`,
            repeat: "safe",
            run: async ({ done }) => {
              did.push(`undo ${word}: ${JSON.stringify(done)}`);
              return "as it was";
            },
            ...undo,
          },
        }),
  });
  const make = (...steps: Step[]): Runbook => ({
    ...makeRunbook(name, {
      steps,
      verify: {
        withinMs: () => 0,
        everyMs: 1,
        check: async () => ({ state: more.verify ?? "passed", text: "the lamp is dark" }),
      },
    }),
    undoOnFailure: "always",
  });
  return { did, step, make };
}

const undosOf = (steps: readonly StepRecord[]) =>
  steps.filter(({ phase }) => phase === "undo").map(({ name, status }) => `${name} ${status}`);

async function run(runbook: Runbook, other = {}): Promise<{ run: Run; steps: StepRecord[] }> {
  const registry = makeRegistry(runbook);
  const id = await queueRun(db, registry, runbook.name);
  await workOn({ db, registry, other }, id);
  const ended = (await readRun(db, id))!;
  return { run: ended, steps: await readSteps(db, ended.seq) };
}

const fails = async () => {
  throw new Error("the switch is stuck");
};

describe("a run that did not work out", () => {
  test("takes its finished steps back, last first, each with what it answered", async () => {
    const { did, step, make } = makeWorld("order");
    const { run: ended, steps } = await run(
      make(step("one"), step("two"), step("three", {}, fails)),
    );
    expect(did).toEqual([
      "one",
      "two",
      'undo two: {"was":"before two"}',
      'undo one: {"was":"before one"}',
    ]);
    expect(ended).toMatchObject({
      status: "failed",
      undone: "complete",
      outcome: 'step "three" failed: the switch is stuck; taken back: undo two, undo one',
    });
    expect(undosOf(steps)).toEqual(["undo two succeeded", "undo one succeeded"]);
    expect(steps.find(({ name }) => name === "undo two")?.undoes).toBe(1);
  });

  test("does so too when it helped nothing, and says that it was looked at", async () => {
    const { did, step, make } = makeWorld("dark", { verify: "failed" });
    const { run: ended } = await run(make(step("one")));
    expect(did).toEqual(["one", 'undo one: {"was":"before one"}']);
    expect(ended).toMatchObject({
      ...{ status: "failed", undone: "complete", verified: false },
      outcome: "the lamp is dark; taken back: undo one",
    });
  });

  test("leaves what cannot be taken back, and says why", async () => {
    const { did, step, make } = makeWorld("stays");
    const never = { ...step("one", null), undo: { never: "a letter that was sent is sent" } };
    const { run: ended } = await run(make(never, step("two"), step("three", {}, fails)));
    expect(did).toEqual(["one", "two", 'undo two: {"was":"before two"}']);
    expect(ended.outcome).toContain('taken back: undo two; "one" stays: a letter that was sent');
  });

  test("takes nothing back by itself where its runbook leaves that to a person", async () => {
    const { did, step, make } = makeWorld("asked");
    const { run: ended } = await run({
      ...make(step("one"), step("two", {}, fails)),
      undoOnFailure: "asked",
    });
    expect(did).toEqual(["one"]);
    expect(ended).toMatchObject({ status: "failed", undone: null });
  });

  test("stops where taking back fails, and wakes a person at once", async () => {
    const { did, step, make } = makeWorld("broken");
    const words: RuntimeWord[] = [];
    const notify = async (_sql: unknown, word: RuntimeWord) => void words.push(word);
    const { run: ended, steps } = await run(
      make(step("one"), step("two", { run: fails }), step("three", {}, fails)),
      { notify },
    );
    expect(did).toEqual(["one", "two"]);
    expect(ended).toMatchObject({ status: "failed", undone: "failed" });
    expect(ended.outcome).toContain("TAKING IT BACK FAILED, look now: the switch is stuck");
    expect(undosOf(steps)).toEqual(["undo two failed"]);
    expect(words).toMatchObject([{ audience: "critical", severity: "sev2", place: ended.id }]);
  });

  test("whose step ran out of its own time ends there, and the step's effect is called unknown", async () => {
    const { did, step, make } = makeWorld("slow");
    const hangs: Step["run"] = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new Error("stopped")));
      });
    const { run: ended, steps } = await run(
      make(step("one"), { ...step("two", {}, hangs), timeoutMs: 30 }),
    );
    expect(did).toEqual(["one", 'undo one: {"was":"before one"}']);
    expect(ended.outcome).toMatch(/^step "two" was not done within 30ms; .* taken back: undo one$/);
    expect(steps.find(({ name }) => name === "two")?.status).toBe("indeterminate");
  });
});

/** Runs until `last` is written, and lets the executor die there: it writes nothing more, and says nothing. */
async function dieAfter(
  runbook: Runbook,
  last: (step: string, what: "begin" | "finish") => boolean,
  meanwhile: (id: string) => Promise<void> = async () => {},
) {
  const registry = makeRegistry(runbook);
  const id = await queueRun(db, registry, runbook.name);
  let isDead = false;
  const killed = fault.waiting("KILLED", "the executor is gone");
  const wrapRecorder = (recorder: Recorder): Recorder => {
    const guard =
      <A extends readonly [{ readonly name: string }, ...unknown[]]>(
        what: "begin" | "finish",
        write: (...args: A) => Promise<void>,
      ) =>
      async (...args: A) => {
        if (isDead) throw killed;
        await write(...args);
        isDead = last(args[0].name, what);
        if (isDead) throw killed;
      };
    return {
      ...recorder,
      begin: guard("begin", recorder.begin),
      finish: guard("finish", recorder.finish),
    };
  };
  await expect(workOn({ db, registry, other: { wrapRecorder } }, id)).rejects.toThrow("gone");
  expect(isDead).toBe(true);
  await meanwhile(id);
  await workOn({ db, registry }, id);
  const ended = (await readRun(db, id))!;
  return { run: ended, steps: await readSteps(db, ended.seq) };
}

describe("taking back that was interrupted", () => {
  test("goes on where it was: what was taken back is not taken back again", async () => {
    const { did, step, make } = makeWorld("halfway");
    const { run: ended } = await dieAfter(
      make(step("one"), step("two"), step("three", {}, fails)),
      (name, what) => name === "undo two" && what === "finish",
    );
    expect(did.filter((it) => it.startsWith("undo two"))).toHaveLength(1);
    expect(did.filter((it) => it.startsWith("undo one"))).toHaveLength(1);
    expect(ended).toMatchObject({ status: "failed", undone: "complete" });
    expect(ended.outcome).toContain('step "three" failed: the switch is stuck');
  });

  const says = (effect: "done" | "not-done" | "unknown"): Repeat<JsonObject> => ({
    check: async () => effect,
  });
  test.each<[string, Repeat<JsonObject>, number, string]>([
    ["safe", "safe", 2, "complete"],
    ["never", "never", 1, "failed"],
    ["a check: done", says("done"), 1, "complete"],
    ["a check: not done", says("not-done"), 2, "complete"],
    ["a check: unknown", says("unknown"), 1, "failed"],
  ])(
    "is judged by its own repeat (%s): it takes effect %i times and is %s",
    async (_words, repeat, times, undone) => {
      let presses = 0;
      const { step, make } = makeWorld(`judged-${crypto.randomUUID()}`);
      const undo = {
        repeat,
        run: async () => {
          presses++;
          return "pressed";
        },
      };
      const { run: ended } = await dieAfter(
        make(step("one", undo), step("two", {}, fails)),
        // Its effect is there, and its result is not: as if it died between them.
        (name, what) => name === "undo one" && what === "begin" && ++presses > 0,
      );
      expect([presses, ended.undone]).toEqual([times, undone]);
    },
  );

  test("an act whose effect nobody knows is not taken back: the run is stalled", async () => {
    const { did, step, make } = makeWorld("unknown");
    const once = { ...step("two"), repeat: "never" } as const;
    const { run: ended, steps } = await dieAfter(
      make(step("one"), once),
      (name, what) => name === "two" && what === "begin",
    );
    expect(did).toEqual(["one"]);
    expect(ended).toMatchObject({ status: "stalled", undone: null });
    expect(undosOf(steps)).toEqual([]);
  });
});

test("a cancelled run takes back what was done, under the executor that did it", async () => {
  const { did, step, make } = makeWorld("cancelled");
  const hangs: Step["run"] = ({ signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("stopped")));
    });
  const checked = { ...step("two", {}, hangs), repeat: { check: async () => "not-done" as const } };
  const runbook = make(step("one"), checked);
  const registry = makeRegistry(runbook);
  const id = await queueRun(db, registry, runbook.name);
  const working = workOn({ db, registry }, id);
  await until(
    async () => (await readSteps(db, (await readRun(db, id))!.seq)).some((it) => it.name === "two"),
    "the second step has begun",
  );
  const cancel = { id, actor: "ann", reason: "wrong lamp" };
  expect(await db.transaction((tx) => cancelRun(tx, cancel))).toBe("asked");
  expect(await working).toMatchObject({ status: "cancelled" });
  expect(did).toEqual(["one", 'undo one: {"was":"before one"}']);
  expect(await readRun(db, id)).toMatchObject({
    undone: "complete",
    outcome: "cancelled by ann: wrong lamp; taken back: undo one",
  });
});

test.each([
  ["not-done", "failed", ['undo one: {"was":"before one"}']],
  ["done", "succeeded", ["undo two: undefined", 'undo one: {"was":"before one"}']],
  ["unknown", "indeterminate", ['undo one: {"was":"before one"}']],
] as const)(
  "a run that is cancelled after its executor died asks first what the interrupted step came to: %s",
  async (effect, status, undone) => {
    const { did, step, make } = makeWorld(`cancelled-${effect}`);
    const asked = { ...step("two"), repeat: { check: async () => effect } };
    const { run: ended, steps } = await dieAfter(
      make(step("one"), asked),
      (name, what) => name === "two" && what === "begin",
      async (id) => {
        const cancel = { id, actor: "ann", reason: "wrong lamp" };
        expect(await db.transaction((tx) => cancelRun(tx, cancel))).toBe("asked");
      },
    );
    expect(did.slice(1)).toEqual(undone);
    expect(ended).toMatchObject({ status: "cancelled", undone: "complete" });
    expect(ended.outcome?.includes("unknown")).toBe(effect === "unknown");
    expect(steps.find(({ name }) => name === "two")?.status).toBe(status);
  },
);

describe("a person's undo of a run that has ended", () => {
  test("takes back only what the run did not take back itself before all was stopped", async () => {
    const { did, step, make } = makeWorld("half-stopped");
    const runbook = make(step("one"), step("two"), step("three", {}, fails));
    const stop = {
      read: async () =>
        did.some((it) => it.startsWith("undo"))
          ? { by: "ann", reason: "fire", at: "2026-01-01T00:00:00Z", from: "file" as const }
          : null,
    };
    const { run: stopped } = await run(runbook, { stop });
    expect(stopped).toMatchObject({
      ...{ status: "stalled", undone: null },
      outcome: expect.stringContaining("stopped by ann: fire"),
    });
    expect(did.slice(2)).toEqual(['undo two: {"was":"before two"}']);
    const asked = await db.transaction((tx) => undoRun(tx, stopped, { actor: ANN }));
    if (asked.outcome !== "queued") throw new Error(JSON.stringify(asked));
    await workOn({ db, registry: makeRegistry(runbook) }, asked.run.id);
    expect(did.slice(3)).toEqual(['undo one: {"was":"before one"}']);
    expect(await readRun(db, stopped.id)).toMatchObject({ undone: "complete" });
  });

  test("that a person cancels halfway is not begun a second time", async () => {
    const { step, make } = makeWorld("half-cancelled");
    let hangs = true;
    const undo: Undo["run"] = ({ signal }) =>
      hangs
        ? new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new Error("stopped")));
          })
        : Promise.resolve("as it was");
    const runbook = make(step("one", { run: undo, repeat: "never" }));
    const { run: original } = await run(runbook);
    const ask = () => db.transaction((tx) => undoRun(tx, original, { actor: ANN }));
    const asked = await ask();
    if (asked.outcome !== "queued") throw new Error(JSON.stringify(asked));
    const { id, seq } = asked.run;
    const working = workOn({ db, registry: makeRegistry(runbook) }, id);
    await until(
      async () => (await readSteps(db, seq)).some(({ phase }) => phase === "undo"),
      "it is being taken back",
    );
    await db.transaction((tx) => cancelRun(tx, { id, actor: "ann", reason: "wrong" }));
    expect(await working).toMatchObject({ status: "cancelled" });
    hangs = false;
    expect(await ask()).toMatchObject({
      outcome: "refused",
      sentence: expect.stringContaining("do the rest by hand"),
    });
  });

  test("is a run of its own, with the steps of the original and its plan", async () => {
    const { did, step, make } = makeWorld("regret");
    const runbook = make(step("one"), step("two"));
    const registry = makeRegistry(runbook);
    const { run: original } = await run(runbook);
    const ask = () => db.transaction((tx) => undoRun(tx, original, { actor: ANN }));
    const asked = await ask();
    if (asked.outcome !== "queued") throw new Error(JSON.stringify(asked));
    expect(await ask()).toMatchObject({ outcome: "already-running", run: { id: asked.run.id } });
    await workOn({ db, registry }, asked.run.id);
    expect(did.slice(2)).toEqual([
      'undo two: {"was":"before two"}',
      'undo one: {"was":"before one"}',
    ]);
    expect(await readRun(db, asked.run.id)).toMatchObject({
      ...{ status: "succeeded", undoOf: original.seq },
      plan: { changes: ["undo two", "undo one"] },
    });
    expect(await readRun(db, original.id)).toMatchObject({
      status: "succeeded",
      undone: "complete",
    });
    expect(await ask()).toMatchObject({
      outcome: "refused",
      sentence: `${original.id} has been taken back already`,
    });
  });
});
