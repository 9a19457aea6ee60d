/** The bar for bad input: the status of design 8.9 as a problem document, and nothing changed in the database. */
import type { FastifyInstance, InjectOptions } from "fastify";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { enqueueJob } from "../../src/store/jobs.js";
import { PROBLEMS, type ProblemCode } from "../../src/web/problem.js";
import { createServer } from "../../src/web/server.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { act, BULK_REFUSALS, JOBS, type Refusal } from "./bulk-refusals.js";
import { fingerprint, makeDeps, SECRET, tokenFor } from "./harness.js";

const MEBIBYTE = 1024 * 1024;
const score = { job_type: "score", payload: { repo_id: "r1" } };
const json = { "content-type": "application/json" };

const post = (payload: unknown, headers: Record<string, string> = json): InjectOptions => ({
  method: "POST",
  url: JOBS,
  payload: typeof payload === "string" ? payload : JSON.stringify(payload),
  headers,
});
const withPayload = (payload: string) => post(`{"job_type":"index","payload":${payload}}`);

const REFUSALS: readonly Refusal[] = [
  ["no token", null, post(score), "unauthenticated"],
  [
    "another scheme",
    null,
    post(score, { ...json, authorization: "Basic YTpi" }),
    "unauthenticated",
  ],
  [
    "a token that is none",
    null,
    post(score, { ...json, authorization: "Bearer x.y.z" }),
    "unauthenticated",
  ],
  ["a viewer who writes", "viewer", post(score), "forbidden"],
  [
    "an operator who posts repair",
    "operator",
    post({ job_type: "repair", payload: { repair_type: "rebuild_indexes" } }),
    "forbidden",
  ],
  ["an operator who retries without a rule", "operator", act(`${JOBS}/job-1/retry`), "forbidden"],
  ["an operator who cancels", "operator", act(`${JOBS}/job-1/cancel`), "forbidden"],
  ["a viewer who pauses", "viewer", act("/api/queue/index/pause", { reason: "x" }), "forbidden"],

  [
    "an unknown type",
    "admin",
    post({ job_type: "indx", payload: {} }),
    "unknown-job-type",
    "/job_type",
  ],
  [
    "a type named like a method",
    "admin",
    post({ job_type: "toString", payload: {} }),
    "unknown-job-type",
  ],
  [
    "an internal type",
    "admin",
    post({ job_type: "runbook", payload: { run_id: "run-1" } }),
    "internal-job-type",
    "/job_type",
  ],
  [
    "a payload without its key",
    "operator",
    post({ job_type: "score", payload: {} }),
    "invalid-payload",
    "/payload",
  ],
  [
    "a payload of another type",
    "operator",
    post({ job_type: "score", payload: { repo_id: 7 } }),
    "invalid-payload",
    "/payload/repo_id",
  ],
  [
    "a payload with a key too many",
    "operator",
    post({ job_type: "score", payload: { repo_id: "r", x: 1 } }),
    "invalid-payload",
    "/payload",
  ],
  [
    "a range that ends before it begins",
    "admin",
    post({
      job_type: "backfill",
      payload: { entity: "scores", start_date: "2026-02-02", end_date: "2026-02-01" },
    }),
    "invalid-payload",
    "/payload/end_date",
  ],
  [
    "a payload that is a list",
    "admin",
    post({ job_type: "gc", payload: [] }),
    "invalid-body",
    "/payload",
  ],
  ["no payload", "admin", post({ job_type: "gc" }), "invalid-body"],
  ["no body", "admin", { method: "POST", url: JOBS }, "invalid-body"],
  ["a key too many", "admin", post({ ...score, prioritty: 1 }), "invalid-body"],
  [
    "a priority out of range",
    "admin",
    post({ ...score, priority: 11 }),
    "invalid-body",
    "/priority",
  ],
  ["a priority as text", "admin", post({ ...score, priority: "5" }), "invalid-body", "/priority"],
  [
    "a time without a zone",
    "admin",
    post({ ...score, scheduled_at: "2026-03-01T12:00:00" }),
    "invalid-body",
    "/scheduled_at",
  ],
  [
    "a day that does not exist",
    "admin",
    post({ ...score, scheduled_at: "2026-13-01T12:00:00Z" }),
    "invalid-body",
    "/scheduled_at",
  ],
  [
    "a time in another century",
    "admin",
    post({ ...score, scheduled_at: "2126-03-01T12:00:00Z" }),
    "invalid-body",
    "/scheduled_at",
  ],

  ["bad JSON", "admin", post("{"), "malformed-json"],
  ["bad JSON without a label", "admin", post("{", {}), "malformed-json"],
  ["XML", "admin", post("<job/>", { "content-type": "application/xml" }), "unsupported-media-type"],
  [
    "a form",
    "admin",
    post("job_type=score", { "content-type": "application/x-www-form-urlencoded" }),
    "unsupported-media-type",
  ],
  [
    "a form where only JSON is taken",
    "admin",
    {
      method: "POST",
      url: "/api/queue/index/pause",
      payload: "reason=x",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    },
    "unsupported-media-type",
  ],
  [
    "a body over a mebibyte",
    "admin",
    post(JSON.stringify({ ...score, more: "x".repeat(MEBIBYTE) })),
    "body-too-large",
  ],
  [
    "the character NUL",
    "admin",
    withPayload('{"path":"/a\\u0000b"}'),
    "invalid-body",
    "/payload/path",
  ],
  ["NUL in a key", "admin", withPayload('{"a\\u0000":1}'), "invalid-body"],
  [
    "half a surrogate pair",
    "admin",
    withPayload('{"path":"\\ud83d"}'),
    "invalid-body",
    "/payload/path",
  ],
  [
    "deep nesting",
    "admin",
    withPayload(`{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`),
    "invalid-body",
  ],
  [
    "a key __proto__",
    "admin",
    withPayload('{"__proto__":{"path":"/x"}}'),
    "invalid-body",
    "/payload/__proto__",
  ],
  [
    "a key constructor",
    "admin",
    withPayload('{"constructor":{"prototype":{"a":1}}}'),
    "invalid-body",
    "/payload/constructor",
  ],
  [
    "a number out of range",
    "admin",
    withPayload('{"path":1e999}'),
    "invalid-body",
    "/payload/path",
  ],

  ["an unknown job", "viewer", { method: "GET", url: `${JOBS}/job-999` }, "not-found"],
  ["an id that is none", "viewer", { method: "GET", url: `${JOBS}/1%20OR%201=1` }, "not-found"],
  ["an id with NUL", "viewer", { method: "GET", url: `${JOBS}/job-1%00` }, "not-found"],
  [
    "an id beyond any number",
    "viewer",
    { method: "GET", url: `${JOBS}/job-9999999999999999` },
    "not-found",
  ],
  ["a retry of an unknown job", "admin", act(`${JOBS}/job-999/retry`), "not-found"],
  ["a retry of a running job", "admin", act(`${JOBS}/job-1/retry`), "state-conflict"],
  ["a retry of a completed job", "admin", act(`${JOBS}/job-2/retry`), "state-conflict"],
  ["a cancel of a completed job", "admin", act(`${JOBS}/job-2/cancel`), "state-conflict"],
  [
    "a retry with an unknown key",
    "admin",
    act(`${JOBS}/job-1/retry`, { forse: true }),
    "invalid-body",
  ],
  ["a page of 0", "viewer", { method: "GET", url: `${JOBS}?limit=0` }, "invalid-query", "/limit"],
  [
    "a page of 201",
    "viewer",
    { method: "GET", url: `${JOBS}?limit=201` },
    "invalid-query",
    "/limit",
  ],
  [
    "a page of many",
    "viewer",
    { method: "GET", url: `${JOBS}?limit=many` },
    "invalid-query",
    "/limit",
  ],
  [
    "a status that is none",
    "viewer",
    { method: "GET", url: `${JOBS}?status=bogus` },
    "invalid-query",
    "/status",
  ],
  [
    "a filter with NUL",
    "viewer",
    { method: "GET", url: `${JOBS}?job_type=%00` },
    "invalid-query",
    "/job_type",
  ],
  [
    "the same filter twice",
    "viewer",
    { method: "GET", url: `${JOBS}?status=failed&status=pending` },
    "invalid-query",
    "/status",
  ],
  [
    "a filter that is none",
    "viewer",
    { method: "GET", url: `${JOBS}?states=failed` },
    "invalid-query",
  ],
  [
    "a page after no job",
    "viewer",
    { method: "GET", url: `${JOBS}?before=1` },
    "invalid-query",
    "/before",
  ],
  ["a queue that is none", "operator", act("/api/queue/indx/pause", { reason: "x" }), "not-found"],
  [
    "a pause of an internal queue",
    "operator",
    act("/api/queue/notice/pause", { reason: "x" }),
    "internal-job-type",
  ],
  ["a pause without a reason", "operator", act("/api/queue/index/pause", {}), "invalid-body"],
  [
    "a pause for ever and a day",
    "operator",
    act("/api/queue/index/pause", { reason: "x", expires_in: "31d" }),
    "invalid-body",
    "/expires_in",
  ],
  [
    "a pause for no time",
    "operator",
    act("/api/queue/index/pause", { reason: "x", expires_in: "soon" }),
    "invalid-body",
    "/expires_in",
  ],
  ["a route that is none", "admin", { method: "GET", url: "/api/v1/secrets" }, "not-found"],
  ["a method that is none", "admin", { method: "DELETE", url: `${JOBS}/job-1` }, "not-found"],
  ["a path that is not UTF-8", "admin", { method: "GET", url: `${JOBS}/%ff` }, "malformed-request"],
];

describe("bad input is refused, and nothing is changed:", () => {
  let server: FastifyInstance;
  let database: TestDatabase;
  let before: Record<string, string>;

  beforeAll(async () => {
    database = await createTestDatabase();
    const { db } = database;
    for (let n = 0; n < 2; n++) await enqueueJob(db, { kind: "gc", payload: {} });
    await db.query("UPDATE jobs SET status = 'running', fence = fence + 1 WHERE id = 'job-1'");
    await db.query("UPDATE jobs SET status = 'completed' WHERE id = 'job-2'");
    server = await createServer(makeDeps(db));
    before = await fingerprint(db);
  });
  afterAll(async () => {
    await server.close();
    await database.drop();
  });

  async function expectRefusal(request: InjectOptions, code: ProblemCode) {
    const reply = await server.inject(request);
    const { status, title } = PROBLEMS[code];
    expect(reply.statusCode, reply.body).toBe(status);
    expect(reply.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    const problem = reply.json();
    expect(problem).toMatchObject({ code, status, title, type: `urn:algobrain:problem:${code}` });
    expect(problem.detail).toMatch(/\S/);
    expect(problem.instance).toBe(`urn:uuid:${reply.headers["x-request-id"]}`);
    expect(reply.headers.server).toBeUndefined();
    expect(await fingerprint(database.db)).toEqual(before);
    return { reply, problem };
  }

  for (const [claim, role, request, code, pointer] of [...REFUSALS, ...BULK_REFUSALS]) {
    it(claim, async () => {
      const token = role === null ? {} : { authorization: `Bearer ${await tokenFor(role)}` };
      const { problem } = await expectRefusal(
        { ...request, headers: { ...token, ...request.headers } },
        code,
      );
      if (pointer !== undefined) {
        expect(problem.errors).toContainEqual({ pointer, message: expect.stringMatching(/\S/) });
      }
    });
  }

  it("a 401 says how to authenticate", async () => {
    const { reply } = await expectRefusal(post(score), "unauthenticated");
    expect(reply.headers["www-authenticate"]).toBe('Bearer realm="algobrain"');
  });

  const now = () => systemClock.now();
  const claims = () => {
    const iat = Math.floor(now().getTime() / 1000);
    return { iss: "algobrain", sub: "mallory", role: "admin", iat, exp: iat + 60 };
  };
  it.each([
    [
      "expired",
      () => signToken({ subject: "a", role: "admin", ttlMs: -1_000, now: now() }, [SECRET]),
    ],
    [
      "signed with another key",
      () =>
        signToken({ subject: "a", role: "admin", ttlMs: 60_000, now: now() }, [
          "another-key-that-is-not-ours",
        ]),
    ],
    ["of algorithm none", async () => new UnsecuredJWT(claims()).encode()],
    [
      "without our key id",
      () => new SignJWT(claims()).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(SECRET)),
    ],
  ])("a token %s", async (_, make) => {
    const request = post(score, { ...json, authorization: `Bearer ${await make()}` });
    const { reply } = await expectRefusal(request, "unauthenticated");
    expect(reply.headers["www-authenticate"]).toContain('error="invalid_token"');
  });
});
