/** Runs over the API: asked for, agreed to, ended, taken back, stopped. One database; each claim has a run of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { HOUR_MS } from "../../src/base/duration.js";
import { silentLogger } from "../../src/base/log.js";
import type { Access, Role } from "../../src/policy/policy.js";
import { createStopSwitch } from "../../src/runtime/stop-file.js";
import { openApproval } from "../../src/store/approval-requests.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { startRun } from "../../src/store/run-leases.js";
import { readRun } from "../../src/store/runs.js";
import { takeTargetLocks } from "../../src/store/target-locks.js";
import { createServer } from "../../src/web/server.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAccessRule, makePerson, makePolicy } from "../support/make-policy.js";
import { makeRegistry, makeRunbook } from "../support/runbook-world.js";
import { injectAs, makeDeps, noDatabase, SECRET } from "./harness.js";

const HASH = "a".repeat(64);
const step = { name: "act", repeat: "safe", run: async () => "acted" } as const;
const back = { name: "back", repeat: "safe", run: async () => "taken back" } as const;
const runbooks = makeRegistry(
  makeRunbook("look", { danger: "R" }),
  makeRunbook("change", { steps: [{ ...step, undo: back }], locks: () => ["queue-index"] }),
  makeRunbook("oneway", { steps: [{ ...step, undo: { never: "what is sent is sent" } }] }),
  makeRunbook("destroy", { danger: "D" }),
);
const access: Access = {
  people: ["ann", "bob"].map((name) => makePerson(name, { subjects: [`${name}-sub`] })),
  groups: {},
  serviceRoles: { pagerduty: "operator", policy: "operator" },
  rules: [
    makeAccessRule({ danger: "R", role: "viewer" }),
    makeAccessRule({ danger: "V" }),
    makeAccessRule({ danger: "D", approvals: 1 }),
  ],
};

let lent: TestDatabase;
let db: Database;
let app: FastifyInstance;
let home: string;
beforeAll(async () => {
  lent = await createTestDatabase();
  db = lent.db;
  home = await mkdtemp(join(tmpdir(), "run-actions-"));
  const file = join(home, "STOP");
  const stop = createStopSwitch({ db, file, clock: systemClock, log: silentLogger });
  const policy = () => makePolicy({ access });
  app = await createServer(makeDeps(db, { runbooks, stop, policy, commit: "c0ffee" }));
});
afterAll(async () => {
  await app.close();
  await lent.drop();
  await rm(home, { recursive: true });
});

let asked = 0;
/** Parameters that no other claim uses. */
const fresh = () => {
  asked += 1;
  return { note: `n${asked}` };
};

async function send(
  who: string,
  method: "GET" | "POST" | "DELETE",
  url: string,
  payload?: object,
  headers: Record<string, string> = {},
) {
  const role: Role = who.startsWith("admin")
    ? "admin"
    : who.startsWith("viewer")
      ? "viewer"
      : "operator";
  const now = systemClock.now();
  const token = await signToken({ subject: `${who}-sub`, role, ttlMs: HOUR_MS, now }, [SECRET]);
  const response = await app.inject({
    ...{ method, url: `/api/v1${url}`, headers: { authorization: `Bearer ${token}`, ...headers } },
    ...(payload === undefined ? {} : { payload }),
  });
  return {
    status: response.statusCode,
    body: response.json(),
    location: response.headers.location,
  };
}
const ask = (who: string, runbook: string, more: object = {}, headers = {}) =>
  send(who, "POST", "/runs", { runbook, params: fresh(), ...more }, headers);
async function askFor(who: string, runbook: string): Promise<string> {
  const { status, body } = await ask(who, runbook);
  expect(status, JSON.stringify(body)).toBe(202);
  return body.id;
}
const REASON = { reason: "because" };

describe("asking for a run", () => {
  test("gives its place, and keeps who asked through which door", async () => {
    const { status, body, location } = await ask("ann", "change", { reason: "queue is stuck" });
    expect(status).toBe(202);
    expect(location).toBe(`/api/v1/runs/${body.id}`);
    expect(body).toMatchObject({
      ...{ actor: "api:ann-sub", person: "ann", door: "api", status: "queued" },
      ...{ reason: "queue is stuck", targets: ["queue-index"], approval_needed: null },
    });
    expect(await readRun(db, body.id)).toMatchObject({ commit: "c0ffee", role: "operator" });
  });

  test("says how many must agree, and to whom that is told", async () => {
    const { body } = await ask("ann", "destroy");
    expect(body.approval_needed).toEqual({
      ...{ needed: 1, role: "operator", team: null, within_ms: 1_800_000 },
    });
  });

  test.each<[string, string, string, object, number, string, string]>([
    ["an unknown runbook", "ann", "destory", {}, 422, "invalid-body", "/runbook"],
    ["a wrong parameter", "ann", "change", { params: { nota: 1 } }, 422, "invalid-body", "/params"],
    ["a wrong field", "ann", "change", { force: true }, 422, "invalid-body", ""],
    ["a viewer", "viewer", "change", {}, 403, "forbidden", ""],
    ["what needs people, by nobody", "stranger", "destroy", {}, 403, "forbidden", ""],
  ])("refuses %s", async (_claim, who, runbook, more, status, code, pointer) => {
    const answer = await ask(who, runbook, more);
    expect(answer).toMatchObject({ status, body: { code } });
    if (pointer !== "") expect(answer.body.errors[0].pointer).toBe(pointer);
  });

  test("a dry run of what destroys needs nobody's word", async () => {
    const { body } = await ask("stranger", "destroy", { dry_run: true });
    expect(body).toMatchObject({ dry_run: true, approval_needed: null });
  });

  test("an entry does not lift a token, and a token does not lift an entry", async () => {
    expect(await readRun(db, await askFor("ann", "look"))).toMatchObject({ role: "operator" });
    const { body } = await ask("admin", "look");
    expect(await readRun(db, body.id)).toMatchObject({ role: "admin", person: null });
  });

  test("the same at this moment is not done twice, and the answer says where it is", async () => {
    const params = fresh();
    const first = await ask("ann", "change", { params });
    const second = await ask("bob", "change", { params });
    expect(second).toMatchObject({ status: 409, location: first.location });
    expect(second.body.detail).toContain(`already as ${first.body.id}, asked by api:ann-sub`);
  });
});

describe("a key of one's own for a request", () => {
  const key = (name: string) => ({ "idempotency-key": name });

  test("makes a repeat the same run, also after its end, also at once", async () => {
    const params = fresh();
    const both = await Promise.all([1, 2].map(() => ask("ann", "change", { params }, key("k1"))));
    expect(both.map(({ status }) => status)).toEqual([202, 202]);
    const id = both[0]!.body.id;
    expect(both[1]!.body.id).toBe(id);
    await db.query("UPDATE control.run SET status = 'succeeded', ended_at = now() WHERE id = $1", [
      id,
    ]);
    expect((await ask("ann", "change", { params }, key("k1"))).body).toMatchObject({
      id,
      status: "succeeded",
    });
  });

  test("of another caller is another key", async () => {
    const params = fresh();
    const first = await ask("ann", "look", { params }, key("k2"));
    await db.query("UPDATE control.run SET status = 'succeeded', ended_at = now() WHERE id = $1", [
      first.body.id,
    ]);
    const other = await ask("bob", "look", { params }, key("k2"));
    expect(other.status).toBe(202);
    expect(other.body.id).not.toBe(first.body.id);
  });

  test("is not used for another request", async () => {
    await ask("ann", "look", {}, key("k3"));
    const other = await ask("ann", "look", {}, key("k3"));
    expect(other).toMatchObject({ status: 409, body: { code: "state-conflict" } });
    expect(other.body.detail).toContain("take a new key");
  });

  test.each(["", "two words", "x".repeat(201)])("has a form: %s", async (name) => {
    expect((await ask("ann", "look", {}, key(name))).status).toBe(400);
  });
});

/** As its executor leaves it when it has made its plan. */
async function parked(): Promise<string> {
  const id = await askFor("ann", "destroy");
  const run = (await readRun(db, id))!;
  await db.transaction(async (tx) => {
    await tx.query(
      "UPDATE control.run SET waiting_for = 'approval', job_seq = NULL WHERE id = $1",
      [id],
    );
    const rule = { needed: 1, role: "operator", team: null, withinMs: 60_000 } as const;
    await openApproval(tx, run, { rule, boundHash: HASH });
  });
  return id;
}
const APPROVE = { bound_hash: HASH };

describe("agreeing", () => {
  test("shows what is asked, and never the button's secret", async () => {
    const { body } = await send("bob", "GET", `/runs/${await parked()}`);
    expect(body).toMatchObject({
      waiting_for: "approval",
      approval: {
        bound_hash: HASH,
        needed: 1,
        requester: "ann",
        agreed: [],
        outcome: null,
        authors: [],
      },
    });
    expect(JSON.stringify(body)).not.toContain("nonce");
  });

  test("by another person lets it go on; a second click is too late", async () => {
    const id = await parked();
    expect(await send("bob", "POST", `/runs/${id}/approve`, APPROVE)).toMatchObject({
      status: 200,
      body: { id, reason: "approved", votes: 1 },
    });
    expect((await readRun(db, id))?.waitingFor).toBeNull();
    expect((await send("bob", "POST", `/runs/${id}/approve`, APPROVE)).status).toBe(409);
  });

  test("one no ends it", async () => {
    const id = await parked();
    expect((await send("bob", "POST", `/runs/${id}/deny`, { reason: "freeze" })).body.reason).toBe(
      "denied",
    );
    expect((await readRun(db, id))?.outcome).toBe("denied by bob: freeze");
  });

  test.each<[string, string, string, object, number]>([
    ["who asked", "ann", "approve", APPROVE, 403],
    ["a stranger, even an admin", "admin", "approve", APPROVE, 403],
    ["a viewer", "viewer", "approve", APPROVE, 403],
    ["another plan", "bob", "approve", { bound_hash: "b".repeat(64) }, 409],
    ["no plan at all", "bob", "approve", {}, 422],
    ["a no without a reason", "bob", "deny", {}, 422],
  ])("is refused to %s", async (_claim, who, verb, payload, status) => {
    const id = await parked();
    expect((await send(who, "POST", `/runs/${id}/${verb}`, payload)).status).toBe(status);
    expect((await readRun(db, id))?.waitingFor).toBe("approval");
  });

  test.each(["run-999999", "run-0", "run-1e3", "17"])("of %s is not found", async (id) => {
    expect((await send("bob", "POST", `/runs/${id}/approve`, APPROVE)).status).toBe(404);
  });
});

describe("cancelling", () => {
  test("by who asked, and by whoever may run such", async () => {
    for (const who of ["ann", "bob", "stranger"]) {
      const id = await askFor("ann", "change");
      const { status, body } = await send(who, "POST", `/runs/${id}/cancel`, REASON);
      expect(status).toBe(202);
      expect(body).toMatchObject({ id, status: "cancelled", detail: expect.stringContaining(id) });
    }
  });

  test("of what waits for people ends the asking too", async () => {
    const id = await parked();
    await send("ann", "POST", `/runs/${id}/cancel`, REASON);
    expect((await send("bob", "POST", `/runs/${id}/approve`, APPROVE)).status).toBe(409);
  });

  test("is refused for what has ended, and audited", async () => {
    const id = await askFor("ann", "look");
    await send("ann", "POST", `/runs/${id}/cancel`, REASON);
    expect((await send("bob", "POST", `/runs/${id}/cancel`, REASON)).status).toBe(409);
    const last = (await readAuditOfTarget(db, id)).at(-1);
    expect(last).toMatchObject({ actor: "api:bob-sub", action: "run.order-refused" });
  });
});

async function succeeded(runbook: string): Promise<string> {
  const id = await askFor("ann", runbook);
  await db.query(
    `WITH done AS (UPDATE control.run SET status = 'succeeded', ended_at = now() WHERE id = $1 RETURNING seq)
     INSERT INTO control.run_step (run_seq, phase, ordinal, name, status) SELECT seq, 'act', 0, 'act', 'succeeded' FROM done`,
    [id],
  );
  return id;
}

describe("taking back", () => {
  test("is a run of its own that names the other; one at a time", async () => {
    const id = await succeeded("change");
    const { status, body, location } = await send("bob", "POST", `/runs/${id}/undo`, REASON);
    expect(status).toBe(202);
    expect(body).toMatchObject({
      undo_of: id,
      runbook: "change",
      person: "bob",
      targets: ["queue-index"],
    });
    expect(location).toBe(`/api/v1/runs/${body.id}`);
    const again = await send("ann", "POST", `/runs/${id}/undo`, REASON);
    expect(again.status).toBe(409);
    expect(again.body.detail).toContain(`is being undone by ${body.id}`);
  });

  test("two at once make one run", async () => {
    const id = await succeeded("change");
    const both = await Promise.all(
      [1, 2].map(() => send("bob", "POST", `/runs/${id}/undo`, REASON)),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
  });

  test("says why there is no way back", async () => {
    const { status, body } = await send(
      "bob",
      "POST",
      `/runs/${await succeeded("oneway")}/undo`,
      REASON,
    );
    expect(status).toBe(409);
    expect(body.detail).toContain("oneway has no way back: what is sent is sent");
  });

  test.each<[string, string, string]>([
    ["a run that has not ended", "", "has not ended"],
    [
      "another version of the runbook",
      "content_hash = 'other', status = 'succeeded'",
      "has changed since",
    ],
    ["a dry run", "dry_run = true, status = 'succeeded'", "was a dry run"],
    ["what is undone", "undone = 'complete', status = 'succeeded'", "has been taken back already"],
    ["an undo", "undo_of = 1, status = 'succeeded'", "took back run-1"],
    ["what did nothing", "status = 'succeeded'", "nothing to take back"],
  ])("is refused for %s", async (_claim, change, sentence) => {
    const id = await askFor("ann", "change");
    if (change !== "") await db.query(`UPDATE control.run SET ${change} WHERE id = $1`, [id]);
    const { status, body } = await send("bob", "POST", `/runs/${id}/undo`, REASON);
    expect(status).toBe(409);
    expect(body.detail).toContain(sentence);
  });
});

test("of two people who ask for the same target, the second sees who holds it, and for how long", async () => {
  const first = (await startRun(db, await askFor("ann", "change")))!;
  await db.transaction((tx) => takeTargetLocks(tx, first.seq, ["queue-index"]));
  const { body } = await send("bob", "GET", `/runs/${await askFor("bob", "change")}`);
  expect(body).toMatchObject({
    status: "queued",
    held_up_by: { target: "queue-index", run: first.id, actor: "api:ann-sub" },
  });
  expect(body.held_up_by.lease_left_ms).toBeGreaterThan(0);
  await db.query("UPDATE control.run SET status = 'succeeded' WHERE seq = $1", [first.seq]);
  expect((await send("bob", "GET", `/runs/${body.id}`)).body.held_up_by).toBeNull();
});

test("what is held is shown with its holder and its time", async () => {
  const run = (await startRun(db, await askFor("ann", "look")))!;
  await db.transaction((tx) => takeTargetLocks(tx, run.seq, ["queue-shown"]));
  const { body } = await send("viewer", "GET", "/locks");
  expect(body.locks).toMatchObject([
    { target: "queue-shown", run: run.id, runbook: "look", actor: "api:ann-sub" },
  ]);
  expect(body.locks[0].held_ms).toBeGreaterThanOrEqual(0);
});

test("the stop switch: whoever is awake sets it, an admin lifts it, and nothing that changes is begun", async () => {
  const waiting = await parked();
  expect((await send("viewer", "POST", "/stop", REASON)).status).toBe(403);
  expect((await send("bob", "POST", "/stop", { reason: "storm" })).body).toMatchObject({
    ...{ file: true, database: true, detail: "Runbooks are stopped on all machines." },
  });
  expect((await send("viewer", "GET", "/stop")).body.stopped).toMatchObject({
    by: "api:bob-sub",
    reason: "storm",
  });
  const refused = await ask("ann", "change");
  expect(refused.status).toBe(409);
  expect(refused.body.detail).toContain("api:bob-sub stopped it all (storm)");
  expect((await ask("ann", "look")).status).toBe(202);
  expect((await send("bob", "POST", `/runs/${waiting}/approve`, APPROVE)).status).toBe(409);
  expect((await send("bob", "DELETE", "/stop", REASON)).status).toBe(403);
  expect((await send("admin", "DELETE", "/stop", REASON)).status).toBe(200);
  expect((await send("viewer", "GET", "/stop")).body).toEqual({ stopped: null });
  expect((await ask("ann", "change")).status).toBe(202);
});

test("with the database gone the API still stops this machine, and says that it is this one alone", async () => {
  const file = join(home, "alone", "STOP");
  const parts = { db: noDatabase, clock: systemClock, log: silentLogger };
  const stop = createStopSwitch({ ...parts, file });
  const alone = await createServer(makeDeps(noDatabase, { runbooks, stop }));
  try {
    const request = { method: "POST", url: "/api/v1/stop", payload: { reason: "storm" } } as const;
    const answer = await injectAs(alone, "operator", request);
    expect(answer.json()).toMatchObject({ file: true, database: false });
    expect(stop.readLocal()).toMatchObject({ by: "api:test-operator", reason: "storm" });
    const resume = { ...request, method: "DELETE" } as const;
    expect((await injectAs(alone, "admin", resume)).statusCode).toBe(503);
  } finally {
    await alone.close();
  }
});

test("the list is narrowed by status, runbook and place", async () => {
  const [older, newer] = [await askFor("ann", "oneway"), await askFor("ann", "oneway")];
  const { body } = await send(
    "viewer",
    "GET",
    `/runs?runbook=oneway&status=queued&before=${newer}`,
  );
  const ids = body.runs.map(({ id }: { id: string }) => id);
  expect(ids).toContain(older);
  expect(ids).not.toContain(newer);
  expect((await send("viewer", "GET", "/runs?status=waiting")).status).toBe(422);
});
