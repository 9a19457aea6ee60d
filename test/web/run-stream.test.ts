/** A run while it goes on, over a real socket: what a watcher is told, from where, and how it ends. */
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import type { Run } from "../../src/runbook/run.js";
import { startRun } from "../../src/store/run-leases.js";
import { appendRunLines } from "../../src/store/run-lines.js";
import { beginStep, finishStep } from "../../src/store/run-steps.js";
import { createServer } from "../../src/web/server.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeRegistry, makeRunbook, queueRun } from "../support/runbook-world.js";
import { until } from "../support/until.js";
import { makeDeps, SECRET } from "./harness.js";

let lent: TestDatabase;
let app: FastifyInstance;
let url: string;
beforeAll(async () => {
  lent = await createTestDatabase();
  app = await createServer(makeDeps(lent.db));
  await app.listen({ port: 0, host: "127.0.0.1" });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await app.close();
  await lent.drop();
});

const KEY = { phase: "act", ordinal: 0, name: "look" } as const;

async function startedRun(name: string): Promise<Run> {
  const id = await queueRun(lent.db, makeRegistry(makeRunbook(name)), name);
  return (await lent.db.transaction((tx) => startRun(tx, id)))!;
}

const say = (run: Run, from: number, count: number) =>
  appendRunLines(
    lent.db,
    run,
    Array.from({ length: count }, (_, at) => ({
      ...({ lineNo: from + at, phase: "act", ordinal: 0, stream: "say" } as const),
      text: `line ${from + at}\nwith a break`,
    })),
  );

const end = (run: Run) =>
  lent.db.query(
    "UPDATE control.run SET status = 'succeeded', outcome = 'done', ended_at = now() WHERE seq = $1",
    [run.seq],
  );

async function open(id: string, headers: Record<string, string> = {}, signal?: AbortSignal) {
  const now = systemClock.now();
  const asked = { subject: "ann", role: "viewer", ttlMs: 60_000, now } as const;
  const token = await signToken(asked, [SECRET]);
  return fetch(`${url}/api/v1/runs/${id}/stream`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(signal ? { signal } : {}),
  });
}

interface Told {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: { status?: string; text?: string; name?: string; line_no?: number };
}

function parse(text: string): Told[] {
  return text
    .split("\n\n")
    .filter((block) => block.includes("event: "))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      return { event: field("event")!, id: field("id"), data: JSON.parse(field("data")!) };
    });
}

test("tells what was, then what comes, each thing once, and ends with the run", async () => {
  const run = await startedRun("watched");
  await beginStep(lent.db, run, KEY);
  await say(run, 1, 2);
  const reply = await open(run.id);
  expect(reply.status).toBe(200);
  expect(reply.headers.get("content-type")).toContain("text/event-stream");
  const reader = reply.body!.getReader();
  const first = Buffer.from((await reader.read()).value!).toString();
  expect(parse(first).map(({ event }) => event)).toEqual(["run", "step", "line", "line"]);
  await finishStep(lent.db, run, KEY, { status: "succeeded", output: "", result: { text: "ok" } });
  await say(run, 3, 1);
  await end(run);
  let rest = "";
  for (let more = await reader.read(); !more.done; more = await reader.read())
    rest += Buffer.from(more.value).toString();
  const told = parse(rest);
  expect(told.map(({ event, id }) => (id ? `${event} ${id}` : event))).toEqual([
    ...["step", "line 3", "run"],
  ]);
  expect(told.at(-1)?.data).toMatchObject({ status: "succeeded" });
  expect(told[1]?.data).toMatchObject({ text: "line 3\nwith a break" });
});

test("whoever comes back goes on after the last line that came", async () => {
  const run = await startedRun("resumed");
  await say(run, 1, 1_200);
  await end(run);
  const all = parse(await (await open(run.id)).text()).filter(({ event }) => event === "line");
  expect(all).toHaveLength(1_200);
  const later = parse(await (await open(run.id, { "last-event-id": "1190" })).text());
  expect(later.filter(({ event }) => event === "line").map(({ id }) => id)).toEqual(
    Array.from({ length: 10 }, (_, at) => String(1_191 + at)),
  );
  expect((await open(run.id, { "last-event-id": "1; drop" })).status).toBe(400);
});

test("a run that there is not is 404, and nobody watches without a token", async () => {
  expect((await open("run-999999")).status).toBe(404);
  expect((await open("nonsense")).status).toBe(404);
  expect((await fetch(`${url}/api/v1/runs/run-1/stream`)).status).toBe(401);
});

test("a place of a watcher who left is free for the next", async () => {
  const run = await startedRun("left");
  const leave = new AbortController();
  const watchers = await Promise.all(
    Array.from({ length: 50 }, () => open(run.id, {}, leave.signal)),
  );
  expect(new Set(watchers.map(({ status }) => status))).toEqual(new Set([200]));
  const refused = await open(run.id);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: "busy" });
  leave.abort();
  await end(run);
  await until(async () => (await open(run.id)).status === 200, "there is a place");
});
