/** What runbooks are trusted with, over the API and in the terminal, on one database. */
import { tmpdir } from "node:os";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CommandIo } from "../../src/cli/command.js";
import { trustVerb } from "../../src/cli/trust.js";
import { publish } from "../../src/main/policy.js";
import { pinOf } from "../../src/runbook/run.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import { settleBreaker } from "../../src/store/automation-breaker.js";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeAutomation, makePolicy } from "../support/make-policy.js";
import { makeRegistry, makeRunbook } from "../support/runbook-world.js";
import { injectAs, makeDeps } from "./harness.js";

const runbooks = makeRegistry(makeRunbook("drain"), makeRunbook("look", { danger: "R" }));
let lent: TestDatabase;
let app: FastifyInstance;
beforeAll(async () => {
  lent = await createTestDatabase();
  // Elsewhere somebody asks who wrote it: test/store/give-trust.test.ts.
  const policy = makePolicy({
    environment: "local",
    automation: [makeAutomation({ runbook: "drain" })],
  });
  await publish(lent.db, policy, "a test");
  app = await createServer(makeDeps(lent.db, { runbooks, policy: () => policy }));
});
afterAll(async () => {
  await app.close();
  await lent.drop();
});

const reset = (role: "operator" | "admin", runbook: string, payload: object = { reason: "seen" }) =>
  injectAs(app, role, { method: "POST", url: `/api/v1/promotions/${runbook}/reset`, payload });

/** Three automatic runs that failed, of this content. */
async function fail(runbook: string, contentHash: string): Promise<void> {
  await lent.db.query(
    `INSERT INTO control.run (runbook, params, actor, role, door, dry_run, content_hash, status, automation, started_at, deadline_at, ended_at)
     SELECT $1, '{}', 'service:pagerduty', 'operator', 'pagerduty', false, $2, 'failed', 'backlog', now(), now(), now()
     FROM generate_series(1, 3)`,
    [runbook, pinOf(contentHash)],
  );
  await lent.db.transaction((tx) => settleBreaker(tx, runbook, 3));
}

test("each runbook says how far automation may go with it, and an admin alone gives trust back", async () => {
  await fail("drain", "hash of drain");
  const { promotions } = (await injectAs(app, "viewer", { url: "/api/v1/promotions" })).json();
  expect(promotions).toMatchObject([
    {
      ...{ runbook: "drain", danger: "V", level: "approve", grant: "auto" },
      ...{ automations: ["backlog"], reason: "lost by 3 failures in a row" },
      breaker: expect.stringContaining("3 runs in a row did not succeed"),
    },
    { runbook: "look", level: "auto", missing: null, breaker: null, automations: [] },
  ]);
  expect((await reset("operator", "drain")).statusCode).toBe(403);
  expect((await reset("admin", "drain", {})).statusCode).toBe(422);
  expect((await reset("admin", "nothing")).statusCode).toBe(404);
  expect((await reset("admin", "drain")).json()).toMatchObject({
    ...{ level: "auto", breaker: null, not_given: null },
  });
  const audited = (await readAuditOfTarget(lent.db, "runbook:drain")).at(-1);
  expect(audited).toMatchObject({ action: "runbook.trust-reset", details: { reason: "seen" } });
});

test("the terminal shows the same, and its reset names who did it and why", async () => {
  const said: string[] = [];
  const io = {
    ...{ env: { DATABASE_URL: lent.url }, actor: "cli:ann", cwd: tmpdir() },
    ...{ out: (line: string) => said.push(line), err: (line: string) => said.push(line) },
  } as unknown as CommandIo;
  await trustVerb.run(["pause-queue"], io);
  expect(said).toEqual([
    "pause-queue: a person starts it",
    "manual: 0 verified runs on 0 days, 0 drills",
    "approve needs 2 more drills, 3 more verified runs",
    "no automation names it",
  ]);
  await expect(trustVerb.run(["pause-queue", "--reset"], io)).rejects.toThrow("--reason");
  await expect(trustVerb.run(["pause-queu"], io)).rejects.toThrow("did you mean");
  await trustVerb.run(["pause-queue", "--reset", "--reason", "seen"], io);
  const [audited] = await readAuditOfTarget(lent.db, "runbook:pause-queue");
  expect(audited).toMatchObject({ actor: "cli:ann", details: { reason: "seen" } });
});
