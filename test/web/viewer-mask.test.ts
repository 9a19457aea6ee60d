/** Whatever a viewer reads, no whole mail address is in it; an operator reads the same document whole. */
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enqueueJob } from "../../src/store/jobs.js";
import { startRun } from "../../src/store/run-leases.js";
import { appendRunLines } from "../../src/store/run-lines.js";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy } from "../support/make-policy.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";
import { injectAs, makeDeps } from "./harness.js";

const MAIL = "ada.lovelace@engine.example";
const OPS = "ops@engine.example";

let lent: TestDatabase;
let app: FastifyInstance;
const places = new Map<string, string>();

beforeAll(async () => {
  lent = await createTestDatabase();
  app = await createServer(makeDeps(lent.db, { policy: () => withMailReceiver() }));
  const job = await plantJob();
  const run = await plantRun();
  const number = await plantIncident();
  for (const url of [
    ...["/api/v1/jobs", `/api/v1/jobs/${job}`, `/api/v1/jobs/${job}/why`],
    ...["/api/v1/runs", `/api/v1/runs/${run}`, `/api/v1/runs/${run}/stream`],
    ...["", `/${number}`, `/${number}/timeline`, `/${number}/post-mortem`].map(
      (path) => `/api/v1/incidents${path}`,
    ),
  ])
    places.set(url.replace(/\b(job|run)-\d+|INC-[\d-]+/, "…"), url);
});
afterAll(async () => {
  await app.close();
  await lent.drop();
});

function withMailReceiver() {
  const policy = makePolicy();
  const [some] = Object.values(policy.routes.receivers);
  const mail = { ...some!, name: "by-mail", kind: "email", to: [OPS] } as const;
  const receivers = { ...policy.routes.receivers, "by-mail": mail };
  return { ...policy, routes: { ...policy.routes, receivers } };
}

async function plantJob(): Promise<string> {
  const { id, seq } = await enqueueJob(lent.db, {
    ...{ kind: "index", requestedBy: `api:${MAIL}` },
    payload: { note: MAIL, [MAIL]: 1 },
  });
  await lent.db.query(
    `UPDATE public.jobs SET status = 'failed', error = $2, result = $3, fence = fence + 1, completed_at = now() WHERE seq = $1`,
    [seq, `no answer for <${MAIL}>`, JSON.stringify({ told: [MAIL, OPS] })],
  );
  await lent.db.query(
    `INSERT INTO control.job_attempt (job_seq, fence, attempt, worker_id, started_at, outcome, error_code, error, trace)
     VALUES ($1, 1, 1, 'general-worker-1', now(), 'failed', 'X', $2, $2)`,
    [seq, MAIL],
  );
  await lent.db.query(
    `INSERT INTO control.job_line (job_seq, fence, ordinal, at, level, message) VALUES ($1, 1, 1, now(), 'warn', $2)`,
    [seq, MAIL],
  );
  return id;
}

async function plantRun(): Promise<string> {
  const id = await queueRun(lent.db, makeRegistry(makeRunbook("look")), "look");
  const run = (await lent.db.transaction((tx) => startRun(tx, id)))!;
  const line = { lineNo: 1, phase: "act", ordinal: 0, stream: "out", text: MAIL } as const;
  await appendRunLines(lent.db, run, [line]);
  await lent.db.query(
    `UPDATE control.run SET status = 'succeeded', outcome = $2, reason = $2, ended_at = now() WHERE seq = $1`,
    [run.seq, MAIL],
  );
  return id;
}

async function plantIncident(): Promise<string> {
  const at = "/api/v1/incidents";
  const post = (url: string, payload: object) =>
    injectAs(app, "operator", { method: "POST", url, payload });
  const { number } = (await post(at, { title: `${MAIL} waits`, severity: "sev2" })).json();
  await post(`${at}/${number}/notes`, { text: `asked ${MAIL}` });
  return number;
}

describe("what a viewer reads", () => {
  it("holds no whole address, and an operator reads it", async () => {
    expect([...places.keys()]).toHaveLength(10);
    for (const [place, url] of places) {
      // Pages are Markdown, where a sign may be escaped.
      const [shown, whole] = await Promise.all(
        (["viewer", "operator"] as const).map(async (role) => {
          const reply = await injectAs(app, role, { url });
          expect(reply.statusCode, place).toBe(200);
          return reply.body.replaceAll("\\@", "@");
        }),
      );
      expect(shown, place).not.toContain("ada.lovelace");
      expect(shown, place).toContain("a…@engine.example");
      expect(whole, place).toContain(MAIL);
    }
  });

  it("still names where alerts go, for the policy says it to everyone", async () => {
    const { body } = await injectAs(app, "viewer", { url: "/api/v1/jobs" });
    expect(body).toContain(OPS);
  });
});
