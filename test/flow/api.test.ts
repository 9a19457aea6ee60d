/** The API of the real program on a real socket: bad input changes nothing, and safe mode from its cause to its end. */
import { once } from "node:events";
import { connect } from "node:net";
import { UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hmacSha256 } from "../../src/base/secret.js";
import type { Role } from "../../src/policy/policy.js";
import { listAudit } from "../../src/store/audit.js";
import { enqueueJob, readJob } from "../../src/store/jobs.js";
import { listNotices } from "../../src/store/notices.js";
import { pauseQueue } from "../../src/store/pauses.js";
import { readWindows } from "../../src/store/samples.js";
import { type LiveRuntime, startLiveRuntime } from "../support/live-runtime.js";
import { until } from "../support/until.js";
import { fingerprint } from "../web/harness.js";

const JOBS = "/api/v1/jobs";
const MEBIBYTE = 1024 * 1024;
const SCORE = { job_type: "score", payload: { repo_id: "r1" } };

let live: LiveRuntime;
beforeAll(async () => {
  live = await startLiveRuntime({ samplesEveryMs: 500 });
});
afterAll(() => live?.close());

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body: typeof body === "string" ? body : JSON.stringify(body),
  headers: { "content-type": "application/json", ...headers },
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Bytes as they are; resolves with all that came back when the other side ends. */
async function exchange(bytes: string | Buffer): Promise<string> {
  const socket = connect(Number(new URL(live.url()).port), "127.0.0.1");
  let answer = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    answer += chunk;
  });
  // A reset after the answer is the answer's end.
  socket.on("error", () => socket.destroy());
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

/** A token as a forger would make it: header and claims of choice, signed with `secret`. */
function forge(header: object, claims: object, secret: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${encode(header)}.${encode(claims)}`;
  return `${body}.${hmacSha256(secret, body).toString("base64url")}`;
}
const CLAIMS = { iss: "algobrain", sub: "mallory", role: "admin", iat: 1, exp: 4_000_000_000 };

describe("bad input over HTTP", () => {
  test.each<[string, Role | null, string, RequestInit, number, string]>([
    ["no token", null, JOBS, post(SCORE), 401, "unauthenticated"],
    ["a wrong role", "viewer", JOBS, post(SCORE), 403, "forbidden"],
    [
      "an unknown type",
      "admin",
      JOBS,
      post({ job_type: "scroe", payload: {} }),
      422,
      "unknown-job-type",
    ],
    [
      "an internal type",
      "admin",
      JOBS,
      post({ job_type: "notice", payload: {} }),
      422,
      "internal-job-type",
    ],
    [
      "an invalid payload",
      "admin",
      JOBS,
      post({ job_type: "score", payload: {} }),
      422,
      "invalid-payload",
    ],
    [
      "a huge body",
      "admin",
      JOBS,
      post({ ...SCORE, x: "x".repeat(MEBIBYTE) }),
      413,
      "body-too-large",
    ],
    [
      "a wrong media type",
      "admin",
      JOBS,
      post("a=b", { "content-type": "text/xml" }),
      415,
      "unsupported-media-type",
    ],
    ["bad JSON", "admin", JOBS, post("{"), 400, "malformed-json"],
    [
      "invalid UTF-8",
      "admin",
      JOBS,
      { ...post(""), body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) },
      400,
      "malformed-json",
    ],
    [
      "NUL in a payload",
      "admin",
      JOBS,
      post('{"job_type":"score","payload":{"repo_id":"a\\u0000"}}'),
      422,
      "invalid-body",
    ],
    [
      "half a character",
      "admin",
      JOBS,
      post('{"job_type":"score","payload":{"repo_id":"\\ud800"}}'),
      422,
      "invalid-body",
    ],
    [
      "a poisoned key",
      "admin",
      JOBS,
      post('{"job_type":"gc","payload":{"__proto__":{}}}'),
      422,
      "invalid-body",
    ],
    [
      "depth without end",
      "admin",
      JOBS,
      post(`${"[".repeat(90_000)}${"]".repeat(90_000)}`),
      422,
      "invalid-body",
    ],
    ["an unknown id", "viewer", `${JOBS}/job-4000000000`, {}, 404, "not-found"],
    ["an id beyond numbers", "viewer", `${JOBS}/job-99999999999999999999`, {}, 404, "not-found"],
    ["an id with a path in it", "viewer", `${JOBS}/..%2f..%2fhealth`, {}, 404, "not-found"],
    ["an id as long as a book", null, `${JOBS}/${"1".repeat(5_000)}`, {}, 404, "not-found"],
    ["an id with NUL", "viewer", `${JOBS}/job-1%00`, {}, 404, "not-found"],
    ["half an escape", "viewer", `${JOBS}/%E0%A4%A`, {}, 400, "malformed-request"],
    ["an unknown route", "admin", "/api/v1/secrets", {}, 404, "not-found"],
    ["another method", "admin", JOBS, { method: "DELETE" }, 404, "not-found"],
    [
      "a method in a header",
      "admin",
      `${JOBS}/job-1`,
      { ...post({}), headers: { "x-http-method-override": "DELETE" } },
      404,
      "not-found",
    ],
    ["an unknown query", "viewer", `${JOBS}?status=done`, {}, 422, "invalid-query"],
    ["a query given twice", "viewer", `${JOBS}?limit=1&limit=2`, {}, 422, "invalid-query"],
    ["a limit beyond the page", "viewer", `${JOBS}?limit=100000`, {}, 422, "invalid-query"],
    [
      "a queue that is none",
      "operator",
      "/api/queue/__proto__/pause",
      post({ reason: "x" }),
      404,
      "not-found",
    ],
    [
      "an internal queue",
      "admin",
      "/api/queue/notice/pause",
      post({ reason: "x" }),
      422,
      "internal-job-type",
    ],
    ["a run that is none", "viewer", "/api/v1/runs/run-0", {}, 404, "not-found"],
  ])(
    "%s is answered with its problem, and nothing changed",
    async (_what, role, path, init, status, code) => {
      const before = await fingerprint(live.db);
      const reply = await live.ask(role, path, init);
      const body = (await reply.json()) as object;
      expect([reply.status, body]).toMatchObject([status, { code, status }]);
      expect(reply.headers.get("content-type")).toContain("application/problem+json");
      expect(await fingerprint(live.db)).toEqual(before);
    },
  );

  test("a retry of a job that runs is 409", async () => {
    await pauseQueue(live.db, { kind: "gc", reason: "test", by: "test", expiresAt: null });
    const { id, seq } = await enqueueJob(live.db, { kind: "gc", payload: {} });
    await live.db.query(
      "UPDATE jobs SET status = 'running', worker_id = 'general-worker-1', started_at = now(), fence = fence + 1 WHERE seq = $1",
      [seq],
    );
    const before = await fingerprint(live.db);
    const reply = await live.ask("admin", `${JOBS}/${id}/retry`, post({}));
    expect([reply.status, await reply.json()]).toMatchObject([409, { code: "state-conflict" }]);
    expect(await fingerprint(live.db)).toEqual(before);
    await live.ask("admin", `${JOBS}/${id}/cancel`, post({ reason: "over" }));
  });

  test.each<[string, (jwt: string) => string]>([
    ["alg none", () => new UnsecuredJWT(CLAIMS).encode()],
    [
      "alg none without a signature",
      () => `${forge({ alg: "none" }, CLAIMS, "x").split(".").slice(0, 2).join(".")}.`,
    ],
    ["RS256 with our secret as its key", (jwt) => forge({ alg: "RS256", typ: "JWT" }, CLAIMS, jwt)],
    ["another secret", () => forge({ alg: "HS256", typ: "JWT" }, CLAIMS, "guessed")],
    ["a path as its kid", (jwt) => forge({ alg: "HS256", kid: "../../dev/null" }, CLAIMS, jwt)],
    ["no kid", (jwt) => forge({ alg: "HS256" }, CLAIMS, jwt)],
    ["an embedded key", () => forge({ alg: "HS256", jwk: { kty: "oct", k: "eA" } }, CLAIMS, "x")],
  ])("a token with %s is 401", async (_what, make) => {
    const reply = await live.ask(null, JOBS, { headers: bearer(make(live.secrets.jwt)) });
    expect([reply.status, await reply.json()]).toMatchObject([401, { code: "unauthenticated" }]);
  });

  test.each<[string, string | Buffer, RegExp]>([
    [
      "two lengths",
      `POST ${JOBS} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      "a length and chunks",
      `POST ${JOBS} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      "a chunk of no size",
      `POST /slack/commands HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n`,
      /^(HTTP\/1\.1 400 |$)/,
    ],
    ["no host", "GET /health HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    [
      "NUL in a header",
      "GET /health HTTP/1.1\r\nHost: x\r\nX: a\u0000b\r\n\r\n",
      /^HTTP\/1\.1 400 /,
    ],
    [
      "a header folded over lines",
      "GET /health HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
      /^HTTP\/1\.1 400 /,
    ],
    [
      "headers without end",
      `GET / HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(50_000)}\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ["a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", /^(HTTP\/1\.1 4\d\d |$)/],
    [
      "an upgrade",
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n",
      /^HTTP\/1\.1 (200|4\d\d) /,
    ],
    ["TLS", Buffer.from("1603010200010001fc0303", "hex"), /^HTTP\/1\.1 400 /],
  ])("%s on the wire is refused, and the service lives on", async (_what, bytes, answer) => {
    const before = await fingerprint(live.db);
    expect(await exchange(bytes)).toMatch(answer);
    expect(await fingerprint(live.db)).toEqual(before);
    expect((await live.ask(null, "/health/live")).status).toBe(200);
  });
});

describe("safe mode", () => {
  test("is entered by a critical failure, which pages once", async () => {
    // Somebody changes what nobody may change: the audit job finds it.
    await live.db.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      await tx.query(
        "UPDATE audit_log SET actor = 'nobody' WHERE seq = (SELECT min(seq) FROM audit_log)",
      );
    });
    const first = await enqueueJob(live.db, { kind: "audit", payload: {} });
    await until(
      async () => (await readJob(live.db, first.seq))?.status === "failed",
      "it is found",
    );
    const second = await enqueueJob(live.db, { kind: "audit", payload: {} });
    await until(async () => (await readJob(live.db, second.seq))?.status === "failed", "and again");
    await until(() => live.pagerduty.incidents().length > 0, "somebody is paged");
    const pages = (await listNotices(live.db, { limit: 99 })).filter(
      ({ receiver, dedupKey }) =>
        receiver === "pagerduty" && dedupKey === "algobrain/safe-mode-active/all",
    );
    expect(pages).toMatchObject([{ action: "trigger", severity: "sev1" }]);
  });

  test("is shown by /health with its reason, and health stays 200", async () => {
    const reply = await live.ask(null, "/health");
    expect([reply.status, await reply.json()]).toMatchObject([
      200,
      {
        status: "degraded",
        safe_mode: {
          active: true,
          entered_by: "healdec",
          reason: expect.stringMatching(/AUDIT_CHAIN/),
        },
      },
    ]);
  });

  test("refuses writes with 503, which is no error of the API; reads and rescue acts go on", async () => {
    const refused = await live.ask("admin", JOBS, post(SCORE));
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: "safe-mode" }]);
    expect(refused.headers.get("retry-after")).toBe("60");
    const pause = await live.ask("admin", "/api/queue/index/pause", post({ reason: "x" }));
    expect(pause.status).toBe(503);
    expect((await live.ask("viewer", JOBS)).status).toBe(200);
    const waiting = await enqueueJob(live.db, { kind: "score", payload: { repo_id: "r1" } });
    const cancelled = await live.ask(
      "admin",
      `${JOBS}/${waiting.id}/cancel`,
      post({ reason: "x" }),
    );
    expect(cancelled.status).toBe(200);
    const metrics = await (await live.ask(null, "/metrics")).text();
    expect(metrics).toContain('status="503"');
    // The next sample of the API has seen these refusals.
    const since = new Date();
    const rates = await until(async () => {
      const now = new Date();
      const from = new Date(now.getTime() - 60_000);
      const [series] = await readWindows(
        live.db,
        [{ metric: "algobrain.api.error_rate", from }],
        now,
      );
      return series?.points.some(({ at }) => at > since.getTime() + 1_000) && series.points;
    }, "the API's error rate is sampled");
    expect(rates.map(({ value }) => value).filter((rate) => rate > 0)).toEqual([]);
  });

  test("lets only rescue work run", async () => {
    const score = await enqueueJob(live.db, { kind: "score", payload: { repo_id: "r2" } });
    const repair = await enqueueJob(live.db, {
      kind: "repair",
      payload: { repair_type: "cleanup_orphaned_claims" },
    });
    await until(
      async () => (await readJob(live.db, repair.seq))?.status === "completed",
      "a repair runs",
    );
    expect(await readJob(live.db, score.seq)).toMatchObject({ status: "pending", attempts: 0 });
  });

  test("is left by an admin alone, with a reason, audited; the page is taken back and work goes on", async () => {
    const exit = "/api/v1/safe-mode/exit";
    const because = post({ reason: "the row was restored" });
    expect((await live.ask("operator", exit, because)).status).toBe(403);
    const reply = await live.ask("admin", exit, because);
    expect([reply.status, await reply.json()]).toEqual([200, { active: false, changed: true }]);
    await until(
      () => live.pagerduty.incidents().every(({ status }) => status === "resolved"),
      "the page is taken back",
    );
    const left = (await listAudit(live.db, { limit: 20 })).find(
      ({ action }) => action === "safe-mode.left",
    );
    expect(left).toMatchObject({
      ...{ actor: "api:flow-admin", details: { left_because: "the row was restored" } },
    });
    await until(async () => {
      const { rows } = await live.db.query(
        "SELECT FROM jobs WHERE job_type = 'score' AND status = 'pending'",
      );
      return rows.length === 0;
    }, "what waited is worked off");
    expect(await (await live.ask(null, "/health")).json()).toMatchObject({ status: "healthy" });
  });
});
