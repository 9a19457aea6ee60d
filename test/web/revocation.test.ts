/** A token that was taken back opens nothing, in no process, from a second later on. */
import type { InjectOptions } from "fastify";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { HOUR_MS } from "../../src/base/duration.js";
import type { Role } from "../../src/policy/policy.js";
import { readAuditOfTarget } from "../../src/store/audit.js";
import type { Database } from "../../src/store/database.js";
import { createServer } from "../../src/web/server.js";
import { issueToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeDeps, noDatabase, type Overrides, SECRET } from "./harness.js";
import { openIdentityProvider, SETTINGS } from "./identity-provider.js";

const LIST = { method: "GET", url: "/api/v1/jobs" } as const;
const REVOKE = { method: "POST", url: "/api/v1/tokens/revocations" } as const;

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());

function issue(role: Role) {
  const now = systemClock.now();
  return issueToken({ subject: `ann-${role}`, role, ttlMs: HOUR_MS, now }, [SECRET]);
}

/** A server of its own, whose clock stands still until it is told to go on. */
async function open(overrides: Overrides = {}, db: Database = lent.db) {
  let nowMs = systemClock.now().getTime();
  const clock = { now: () => new Date(nowMs), sleep: async () => {} };
  const app = await createServer(makeDeps(db, { clock, ...overrides }));
  const ask = (token: string, request: InjectOptions = LIST) =>
    app.inject({ ...request, headers: { authorization: `Bearer ${token}` } });
  return {
    ask,
    as: async (role: Role, request?: InjectOptions) => ask((await issue(role)).token, request),
    revoke: async (payload: object, role: Role = "admin") =>
      ask((await issue(role)).token, { ...REVOKE, payload }),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** The same database, but for what one statement about revoked tokens does. */
function withRevokedTokens(query: Database["query"]): Database {
  const { db } = lent;
  return {
    ...db,
    query: (text, values, name) =>
      text.includes("revoked_token") ? query(text, values, name) : db.query(text, values, name),
  };
}

describe("a token that was taken back", () => {
  it("is refused from a second later on, and the audit says who did it and why", async () => {
    const { ask, as, revoke, pass } = await open();
    const { token, id } = await issue("viewer");
    expect((await ask(token)).statusCode).toBe(200);
    const reply = await revoke({ jti: id, reason: "on a list" });
    expect([reply.statusCode, reply.json()]).toMatchObject([200, { jti: id, changed: true }]);
    pass(1_000);
    const refused = await ask(token);
    expect([refused.statusCode, refused.json()]).toMatchObject([
      401,
      { detail: expect.stringContaining("was taken back") },
    ]);
    expect((await as("viewer")).statusCode).toBe(200);
    expect(await readAuditOfTarget(lent.db, `token:${id}`)).toMatchObject([
      { action: "token.revoked", actor: "api:ann-admin", details: { reason: "on a list" } },
    ]);
  });

  it("is taken back once: the first reason stands", async () => {
    const { revoke } = await open();
    expect((await revoke({ jti: "7f3a", reason: "lost" })).json().changed).toBe(true);
    expect((await revoke({ jti: "7f3a", reason: "again" })).json().changed).toBe(false);
    expect(await readAuditOfTarget(lent.db, "token:7f3a")).toHaveLength(1);
  });

  it.each([
    ["the token itself", { jti: "a.b.c", reason: "x" }],
    ["no reason", { jti: "8a11" }],
    ["a line break", { jti: "a\nb", reason: "x" }],
  ])("is not named by %s", async (_, payload) => {
    const { revoke } = await open();
    expect((await revoke(payload)).json()).toMatchObject({ code: "invalid-body" });
  });

  it("is not for operators to take back", async () => {
    const { revoke } = await open();
    expect((await revoke({ jti: "8a11", reason: "x" }, "operator")).statusCode).toBe(403);
  });
});

describe("the list of them", () => {
  it("is read once a second, however many ask", async () => {
    let reads = 0;
    const counting = withRevokedTokens((text, values, name) => {
      reads += 1;
      return lent.db.query(text, values, name);
    });
    const { as, pass } = await open({}, counting);
    await Promise.all(Array.from({ length: 10 }, () => as("viewer")));
    expect(reads).toBe(1);
    pass(999);
    await as("viewer");
    expect(reads).toBe(1);
    pass(1);
    await Promise.all(Array.from({ length: 10 }, () => as("viewer")));
    expect(reads).toBe(2);
  });

  it("that cannot be read refuses admins, and nobody else", async () => {
    const { as } = await open({}, withRevokedTokens(noDatabase.query));
    const statuses = [(await as("viewer")).statusCode, (await as("admin")).statusCode];
    expect(statuses).toEqual([200, 503]);
  });

  it("that could be read once goes on to refuse those who are on it", async () => {
    let isAway = false;
    const flaky = withRevokedTokens((text, values, name) =>
      (isAway ? noDatabase : lent.db).query(text, values, name),
    );
    const { ask, revoke, pass } = await open({}, flaky);
    const { token, id } = await issue("viewer");
    await revoke({ jti: id, reason: "x" });
    pass(1_000);
    expect((await ask(token)).statusCode).toBe(401);
    isAway = true;
    pass(60_000);
    expect((await ask(token)).statusCode).toBe(401);
  });
});

describe("a token of the identity provider", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("opens what its groups may, is 403 without one, and can be taken back", async () => {
    const provider = await openIdentityProvider(() => systemClock.now());
    vi.stubGlobal("fetch", provider.fetchKeys);
    const ours = makeDeps(noDatabase).policy();
    const policy = () =>
      ({ ...ours, access: { ...ours.access, groups: { team: "viewer" } } }) as const;
    const { ask, revoke, pass } = await open({ config: { oidc: SETTINGS }, policy });
    const askAs = async (group: string) =>
      (await ask(await provider.sign({ groups: [group] }))).json();
    expect(await askAs("team")).toMatchObject({ jobs: [] });
    expect(await askAs("chess")).toMatchObject({ code: "forbidden" });
    await revoke({ jti: "t-1", reason: "left" });
    pass(1_000);
    expect(await askAs("team")).toMatchObject({ code: "unauthenticated" });
  });
});
