/** What people are told of a run: its one living message as a row, its output below, notes on its incident. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fault } from "../../src/base/fault.js";
import { toSlack } from "../../src/message/slack-blocks.js";
import type { Incidents } from "../../src/runbook/port.js";
import { runNonce } from "../../src/runbook/telling.js";
import type { Database } from "../../src/store/database.js";
import { intoChunks, tellRun } from "../../src/store/run-telling.js";
import { readRun } from "../../src/store/runs.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  makeIncidents,
  makeRegistry,
  makeRunbook,
  queueRun,
  workOn,
} from "../support/runbook-world.js";

let lent: TestDatabase;
let db: Database;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
});
afterAll(() => lent?.drop());

const chatPlace = { chat: { channel: "ops", ts: null } };
let cases = 0;
/** Of its own, so that no case finds the run of another. */
const runbookNamed = (more: Parameters<typeof makeRunbook>[1] = {}) =>
  makeRunbook(`fix-${++cases}`, more);

interface Post {
  readonly purpose: string;
  readonly body: {
    readonly title: string;
    readonly tone: string;
    readonly code?: string;
    readonly fields?: readonly { readonly label: string; readonly value: string }[];
    readonly actions?: readonly { readonly action: string; readonly value: string }[];
  };
}
async function postsOf(id: string): Promise<Post[]> {
  const { rows } = await db.query<Post>(
    "SELECT purpose, body FROM control.chat_post WHERE key LIKE $1 || ':%' ORDER BY id",
    [id],
  );
  return rows;
}

describe("a run that is told", () => {
  test("has one living message, and notes go to its incident", async () => {
    const runbook = runbookNamed();
    const registry = makeRegistry(runbook);
    const incidents = makeIncidents();
    const id = await queueRun(db, registry, runbook.name, { ...chatPlace, incidentId: "Q1" });
    await workOn({ db, registry, incidents }, id);
    const [main] = (await postsOf(id)).filter(({ purpose }) => purpose === "main");
    expect(main?.body).toMatchObject({ tone: "good", title: `${id} succeeded: ${runbook.name}` });
    expect(incidents.notes.map(({ marker }) => marker)).toEqual([
      `${id}:started`,
      `${id}:succeeded`,
    ]);
  });

  test("that did not work out is handed over with what was found and what to type next", async () => {
    const runbook = runbookNamed({
      plan: async () => {
        throw new Error("nothing to fix");
      },
    });
    const registry = makeRegistry(runbook);
    const incidents = makeIncidents();
    const id = await queueRun(db, registry, runbook.name, { ...chatPlace, incidentId: "Q1" });
    await workOn({ db, registry, incidents }, id);
    const next = `/algobrain look-after ${runbook.name}`;
    expect((await postsOf(id))[0]?.body.fields).toEqual([
      { label: "Outcome", value: "nothing to fix" },
      { label: "Next", value: next },
    ]);
    const note = incidents.notes.at(-1)?.text;
    expect(note).toContain("Automation gives up here: a person is needed.");
    expect(note).toContain("State: nothing was changed.");
    expect(note).toContain(`Next: ${next}`);
  });

  test("by nobody in chat has no message", async () => {
    const runbook = runbookNamed();
    const registry = makeRegistry(runbook);
    const id = await queueRun(db, registry, runbook.name);
    await workOn({ db, registry }, id);
    expect(await postsOf(id)).toEqual([]);
  });

  test("with PagerDuty down ends all the same, and its end is noted later, without running again", async () => {
    let ranCount = 0;
    const step = { name: "act", repeat: "safe", run: async () => `acted ${++ranCount}` } as const;
    const runbook = runbookNamed({ steps: [step] });
    const registry = makeRegistry(runbook);
    const working = makeIncidents();
    let isDown = true;
    const incidents: Incidents = {
      ...working,
      addNote: async (...note) => {
        if (isDown) throw fault.transient("PAGERDUTY_UNAVAILABLE", "PagerDuty is down");
        await working.addNote(...note);
      },
    };
    const id = await queueRun(db, registry, runbook.name, { ...chatPlace, incidentId: "Q1" });
    await expect(workOn({ db, registry, incidents }, id)).rejects.toMatchObject({
      kind: "waiting",
      code: "RUN_NOT_TOLD",
      message: `${id} ended, and PagerDuty is down`,
    });
    expect(await readRun(db, id)).toMatchObject({ status: "succeeded" });
    isDown = false;
    await workOn({ db, registry, incidents }, id);
    expect(ranCount).toBe(1);
    expect(working.notes.map(({ marker }) => marker)).toEqual([`${id}:succeeded`]);
    isDown = true;
    working.notes.length = 0;
    await db.query("UPDATE control.run SET ended_at = now() - interval '25 hours' WHERE id = $1", [
      id,
    ]);
    expect(await workOn({ db, registry, incidents }, id)).toMatchObject({ status: "succeeded" });
  });
});

describe("the living message", () => {
  test("of a run that waits for people says whom, until when, and what cannot be taken back", async () => {
    const runbook = runbookNamed({
      danger: "D",
      steps: [
        { name: "drop it", repeat: "never", undo: { never: "it is gone" }, run: async () => "" },
      ],
    });
    const registry = makeRegistry(runbook);
    const id = await queueRun(
      db,
      makeRegistry({ ...runbook, danger: "V" }),
      runbook.name,
      chatPlace,
    );
    await db.query(
      `UPDATE control.run SET waiting_for = 'approval', job_seq = NULL, bound_hash = 'abcdef0123456789',
         plan = '{"text": "3 rows are there", "changes": ["drop 3 rows"]}' WHERE id = $1`,
      [id],
    );
    await db.query(
      `INSERT INTO control.approval_request (run_seq, bound_hash, nonce, needed, approvers, requester, expires_at)
       SELECT seq, bound_hash, 'n0nce', 2, '{"role": "admin", "team": "db"}', 'ann', '2026-11-22T03:30:00Z'
       FROM control.run WHERE id = $1`,
      [id],
    );
    const run = (await readRun(db, id))!;
    await tellRun(db, run, { runbook: registry.find(runbook.name)!.runbook });
    const [main] = await postsOf(id);
    expect(main?.body).toMatchObject({ title: `${id} waits for approval: ${runbook.name}` });
    const shown = JSON.stringify(main?.body);
    for (const words of [
      "2 people of role admin in team db, and not ann",
      "2026-11-22T03:30 UTC",
      "will drop 3 rows",
      "drop it: it is gone",
      "abcdef012345",
    ])
      expect(shown).toContain(words);
    expect(main?.body.actions?.map(({ action, value }) => `${action} ${value}`)).toEqual([
      `approve ${id}:n0nce`,
      `deny ${id}:n0nce`,
      `cancel ${id}:${runNonce(run)}`,
    ]);
  });

  test.each([
    [
      "can be taken back has a button for it",
      { name: "back", repeat: "safe", run: async () => "" },
      ["undo"],
    ],
    ["cannot be taken back has none", { never: "gone" }, []],
  ] as const)("of an ended run that %s", async (_what, undo, actions) => {
    const runbook = runbookNamed({
      steps: [{ name: "act", repeat: "safe", undo, run: async () => "acted" }],
    });
    const registry = makeRegistry(runbook);
    const id = await queueRun(db, registry, runbook.name, chatPlace);
    await workOn({ db, registry }, id);
    const [main] = await postsOf(id);
    expect((main?.body.actions ?? []).map(({ action }) => action)).toEqual(actions);
  });
});

describe("output below the message", () => {
  test("comes in parts that Slack takes whole, ten at most, in order and without a loss", () => {
    const lines = Array.from(
      { length: 400 },
      (_, i) => `${i} ${"<&>".repeat(i % 40)} ${"x".repeat(i % 700)}`,
    );
    const chunks = intoChunks([...lines, "y".repeat(10_000)]);
    for (const code of chunks) {
      const { blocks } = toSlack({ tone: "info", title: "Output", code });
      expect(JSON.stringify(blocks)).not.toContain("…");
    }
    expect(chunks.join("\n").replaceAll("\n", "")).toBe([...lines, "y".repeat(10_000)].join(""));
  });

  test("is said once though the run's end is told twice, and only when a program printed something", async () => {
    const runbook = runbookNamed();
    const registry = makeRegistry(runbook);
    const [quiet, loud] = [
      await queueRun(db, registry, runbook.name, { ...chatPlace, params: { note: "quiet" } }),
      await queueRun(db, registry, runbook.name, { ...chatPlace, params: { note: "loud" } }),
    ];
    await db.query(
      `INSERT INTO control.run_line (run_seq, line_no, phase, ordinal, stream, text)
       SELECT seq, n, 'act', 1, CASE WHEN id = $1 THEN 'say' ELSE 'out' END, 'a line of output'
       FROM control.run, generate_series(1, 3) AS n WHERE id IN ($1, $2)`,
      [quiet, loud],
    );
    for (const id of [quiet, loud, loud]) await workOn({ db, registry }, id);
    const threads = [...(await postsOf(quiet)), ...(await postsOf(loud))].filter(({ purpose }) =>
      purpose.startsWith("thread"),
    );
    expect(threads.map(({ body }) => body.title)).toEqual([`Output of ${loud}, part 1 of 1`]);
    expect(threads[0]?.body.code).toContain("a line of output\na line of output");
  });
});
