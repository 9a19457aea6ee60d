import { decodeProtectedHeader, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { signToken, verifyToken } from "../../src/web/token.js";

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
    });
    expect(await verifyToken(token, [NEW], later(HOUR_MS + 1_000))).toEqual({
      ok: false,
      reason: "expired",
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
    ["a subject with a line break", {}, { sub: "ada\nadmin" }],
    ["a subject that PostgreSQL cannot hold", {}, { sub: "ada\u0000" }],
    ["no end", {}, { exp: undefined }],
    ["no key id", { kid: undefined }, {}],
  ])("signed with our secret but with %s are refused", async (_, header, claims) => {
    expect(await verifyToken(await forge(header, claims), [NEW], NOW)).toEqual(invalid);
  });

  it.each(["", "x", "a.b.c", "a".repeat(10_000), "..", "eyJhbGciOiJub25lIn0.e30."])(
    "that are no tokens are refused, not thrown over: %.20s",
    async (text) => {
      expect(await verifyToken(text, [NEW], NOW)).toEqual(invalid);
    },
  );

  it("are not signed for a subject that logs and rows cannot hold, nor without a secret", async () => {
    await expect(signToken({ ...asked, subject: "a b" }, [NEW])).rejects.toMatchObject({
      code: "TOKEN_SUBJECT_INVALID",
    });
    await expect(signToken(asked, [])).rejects.toMatchObject({ code: "TOKEN_SECRET_MISSING" });
  });
});
