/** Tokens from the terminal: who makes one for an admin leaves a trace, and every one can be taken back. */
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listAudit, readAuditOfTarget } from "../../src/store/audit.js";
import { readRevokedTokens } from "../../src/store/revoked-tokens.js";
import { verifyToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { cli } from "./support.js";

const SECRET = "a-secret-for-tests-that-is-long-enough";
const NOWHERE = "postgresql://ann@127.0.0.1:1/none";

let lent: TestDatabase;
beforeAll(async () => {
  lent = await createTestDatabase();
});
afterAll(() => lent.drop());

function type(line: string, reason?: string, databaseUrl = lent.url) {
  const words = reason === undefined ? [] : ["--reason", reason];
  const env = { DATABASE_URL: databaseUrl, JWT_SECRET: SECRET };
  return cli(["token", ...line.split(" "), ...words], { env });
}

const livesS = (token: string) => {
  const { exp = 0, iat = 0 } = decodeJwt(token);
  return exp - iat;
};

describe("a token for a purpose", () => {
  test("is a viewer's that may one thing more, and none of another role", async () => {
    const { code, out } = await type("--role viewer --subject github --purpose drift --ttl 90d");
    expect(code).toBe(0);
    expect(await verifyToken(out.trim(), [SECRET], new Date())).toMatchObject({
      caller: { subject: "github", role: "viewer", purpose: "drift" },
    });
    for (const wrong of ["--role operator --purpose drift", "--role viewer --purpose all"])
      expect(await type(wrong)).toMatchObject({ code: 2, out: "" });
  });
});

describe("a token for an admin", () => {
  test("lives a quarter of an hour, and the audit knows who made it and why, but not the token", async () => {
    const { code, out, err } = await type("--role admin --subject ann", "the disk is full");
    const token = out.trim();
    const { jti } = decodeJwt(token);
    expect(code).toBe(0);
    expect([900, 901]).toContain(livesS(token));
    expect(await verifyToken(token, [SECRET], new Date())).toMatchObject({
      caller: { subject: "ann", role: "admin" },
    });
    expect(err).toContain(`algobrain token revoke ${jti} --reason TEXT`);
    const [entry] = await readAuditOfTarget(lent.db, `token:${jti}`);
    expect(entry).toMatchObject({
      ...{ action: "token.issued", actor: "cli:test" },
      details: { subject: "ann", role: "admin", reason: "the disk is full" },
    });
    expect(JSON.stringify(entry)).not.toContain(token.split(".")[2]);
  });

  test("is not made where the audit cannot be written", async () => {
    const { code, out } = await type("--role admin", "no reason is good enough", NOWHERE);
    expect({ code, out }).toEqual({ code: 1, out: "" });
  });

  test("is not made without a reason", async () => {
    const before = (await listAudit(lent.db, { limit: 200 })).length;
    expect(await type("--role admin")).toMatchObject({ code: 2, out: "" });
    expect(await listAudit(lent.db, { limit: 200 })).toHaveLength(before);
  });
});

describe("a token for others", () => {
  test("needs no database, and no reason", async () => {
    const { code, out, err } = await type("--role viewer", undefined, NOWHERE);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect([3_600, 3_601]).toContain(livesS(out.trim()));
  });
});

describe("a token that is taken back", () => {
  test("stays so until it would have ended, as its issue says", async () => {
    const { out } = await type("--role admin", "to look at the queue");
    const { jti, exp = 0 } = decodeJwt(out.trim());
    const revoked = await type(`revoke ${jti}`, "the terminal was shared");
    expect(revoked).toMatchObject({ code: 0, err: "" });
    expect(revoked.out).toContain(new Date(exp * 1000).toISOString());
    expect(await readRevokedTokens(lent.db)).toContain(jti);
    expect((await type(`revoke ${jti}`, "again")).out).toBe("was taken back already\n");
  });

  test("of which nothing is known stays so for as long as any token may live", async () => {
    const { out } = await type("revoke 7f3a", "found in a log");
    const [, until = ""] = /at (\S+) at the latest/.exec(out) ?? [];
    const days = (Date.parse(until) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89);
    expect(days).toBeLessThanOrEqual(90);
  });
});
