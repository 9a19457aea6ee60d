import { decodeProtectedHeader, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { issueToken, signToken, verifyToken } from "../../src/web/token.js";

const NOW = new Date("2026-03-01T12:00:00Z");
const HOUR_MS = 3_600_000;
const OLD = "the-old-secret-of-thirty-two-bytes-or-more";
const NEW = "the-new-secret-of-thirty-two-bytes-or-more";
const asked = { subject: "ada", role: "operator", ttlMs: HOUR_MS, now: NOW } as const;
const later = (ms: number) => new Date(NOW.getTime() + ms);
const invalid = { ok: false, reason: "invalid" };

describe("tokens", () => {
  it("name their subject and role until they expire", async () => {
    const token = await signToken(asked, [NEW]);
    expect(await verifyToken(token, [NEW], later(HOUR_MS - 1_000))).toEqual({
      ok: true,
      caller: { subject: "ada", role: "operator" },
      tokenId: expect.stringMatching(/^[\da-f-]{36}$/),
    });
    expect(await verifyToken(token, [NEW], later(HOUR_MS + 1_000))).toEqual({
      ok: false,
      reason: "expired",
    });
  });

  it("may be made for a purpose, which is a viewer's alone", async () => {
    const made = { ...asked, role: "viewer", purpose: "drift" } as const;
    expect(await verifyToken(await signToken(made, [NEW]), [NEW], NOW)).toMatchObject({
      ...{ ok: true, caller: { subject: "ada", role: "viewer", purpose: "drift" } },
    });
    await expect(signToken({ ...made, role: "operator" }, [NEW])).rejects.toMatchObject({
      ...{ kind: "refused", code: "TOKEN_PURPOSE_INVALID" },
    });
  });

  it("signed with a retired secret stay valid while it is on the list (X-34)", async () => {
    const before = await signToken(asked, [OLD]);
    const after = await signToken(asked, [NEW, OLD]);
    for (const token of [before, after]) {
      expect(await verifyToken(token, [NEW, OLD], NOW)).toMatchObject({ ok: true });
    }
    expect(await verifyToken(before, [NEW], NOW)).toEqual(invalid);
    expect(await verifyToken(after, [OLD], NOW)).toEqual(invalid);
  });

  it("carry a key id that differs by secret and does not tell it", async () => {
    const header = async (secret: string) =>
      decodeProtectedHeader(await signToken(asked, [secret]));
    const [a, b] = [await header(OLD), await header(NEW)];
    expect(a).toMatchObject({ alg: "HS256", kid: expect.stringMatching(/^[\w-]{8}$/) });
    expect(a.kid).not.toBe(b.kid);
    expect(OLD).not.toContain(a.kid);
  });

  it("without a signature (alg none) are refused", async () => {
    const token = new UnsecuredJWT({ role: "admin" })
      .setIssuer("algobrain")
      .setSubject("mallory")
      .setIssuedAt(NOW)
      .setExpirationTime(later(HOUR_MS))
      .encode();
    expect(await verifyToken(token, [NEW], NOW)).toEqual(invalid);
  });

  /** A token made by hand with our secret: valid unless something is changed. */
  async function forge(header: Record<string, unknown>, claims: Record<string, unknown>) {
    const { kid } = decodeProtectedHeader(await signToken(asked, [NEW]));
    const iat = NOW.getTime() / 1000;
    return new SignJWT({
      iss: "algobrain",
      sub: "ada",
      role: "admin",
      jti: "7f3a",
      iat,
      exp: iat + 3_600,
      ...claims,
    })
      .setProtectedHeader({ alg: "HS256", kid, ...header })
      .sign(Buffer.from(NEW));
  }

  it("made elsewhere with our secret and our form are valid", async () => {
    expect(await verifyToken(await forge({}, {}), [NEW], NOW)).toMatchObject({ ok: true });
  });

  it.each([
    ["another algorithm", { alg: "HS512" }, {}],
    ["another issuer", {}, { iss: "elsewhere" }],
    ["an unknown role", {}, { role: "root" }],
    ["a list as role", {}, { role: ["admin"] }],
    ["a number as subject", {}, { sub: 7 }],
    ["the subject of a foreign issuer", {}, { sub: "oidc:ada" }],
    ["a subject with a line break", {}, { sub: "ada\nadmin" }],
    ["a subject that PostgreSQL cannot hold", {}, { sub: "ada\u0000" }],
    ["no end", {}, { exp: undefined }],
    ["a purpose beside another role than a viewer's", {}, { purpose: "drift" }],
    ["no key id", { kid: undefined }, {}],
  ])("signed with our secret but with %s are refused", async (_, header, claims) => {
    expect(await verifyToken(await forge(header, claims), [NEW], NOW)).toEqual(invalid);
  });

  it.each([
    ["lives longer than an hour", { exp: NOW.getTime() / 1000 + 3_602 }],
    ["has no id by which it could be taken back", { jti: undefined }],
    ["has something else as its id", { jti: 7 }],
    ["has an id that PostgreSQL cannot hold", { jti: "a\u0000" }],
  ])("for an admin are refused when one %s", async (_, claims) => {
    expect(await verifyToken(await forge({}, claims), [NEW], NOW)).toEqual({
      ok: false,
      reason: "unbounded",
    });
  });

  it("for others live on without an id: those of the version before had none", async () => {
    const old = await forge({}, { role: "viewer", jti: undefined, exp: 4_000_000_000 });
    expect(await verifyToken(old, [NEW], NOW)).toMatchObject({ ok: true, tokenId: null });
  });

  it.each([
    ["admin", HOUR_MS],
    ["operator", 90 * 24 * HOUR_MS],
    ["viewer", 90 * 24 * HOUR_MS],
  ] as const)("of role %s live %i ms at most", async (role, ttlMs) => {
    const { id, endsAt } = await issueToken({ ...asked, role, ttlMs }, [NEW]);
    expect(id).toMatch(/^[\da-f-]{36}$/);
    expect(endsAt).toEqual(later(ttlMs));
    const longer = issueToken({ ...asked, role, ttlMs: ttlMs + 1 }, [NEW]);
    await expect(longer).rejects.toMatchObject({ code: "TOKEN_TTL_TOO_LONG" });
  });

  it.each(["", "x", "a.b.c", "a".repeat(10_000), "..", "eyJhbGciOiJub25lIn0.e30."])(
    "that are no tokens are refused, not thrown over: %.20s",
    async (text) => {
      expect(await verifyToken(text, [NEW], NOW)).toEqual(invalid);
    },
  );

  it("are not signed for a subject that logs and rows cannot hold, nor without a secret", async () => {
    for (const subject of ["a b", "oidc:ada"])
      await expect(signToken({ ...asked, subject }, [NEW])).rejects.toMatchObject({
        code: "TOKEN_SUBJECT_INVALID",
      });
    await expect(signToken(asked, [])).rejects.toMatchObject({ code: "TOKEN_SECRET_MISSING" });
  });
});
