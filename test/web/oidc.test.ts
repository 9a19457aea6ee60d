/** Tokens of a foreign issuer: who is believed, as what, and what happens while the issuer is away. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { UnsecuredJWT } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Role } from "../../src/policy/policy.js";
import { createOidcVerifier } from "../../src/web/oidc.js";
import { openIdentityProvider, SETTINGS } from "./identity-provider.js";

const MINUTE_MS = 60_000;
const GROUPS: Readonly<Record<string, Role>> = {
  everybody: "viewer",
  "on-call": "operator",
  sre: "admin",
};

afterEach(() => {
  vi.useRealTimers();
});

/** The library that keeps the keys reads the system's clock, so that is what is set here. */
async function open(alg?: string) {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-03-01T12:00:00Z") });
  const now = () => new Date();
  const clock = { now, sleep: async () => {} };
  const provider = await openIdentityProvider(now, alg);
  const verifier = createOidcVerifier(SETTINGS, clock, provider.fetchKeys);
  const verify = (token: string) => verifier.verify(token, GROUPS, now());
  const pass = (ms: number) => {
    vi.setSystemTime(Date.now() + ms);
  };
  return { provider, verifier, verify, pass };
}

describe("a token of the issuer", () => {
  it.each(["RS256", "ES256", "EdDSA"])(
    "signed with %s names a person of ours by a prefix",
    async (alg) => {
      const { provider, verify } = await open(alg);
      expect(await verify(await provider.sign())).toEqual({
        ok: true,
        caller: { subject: "oidc:u-1", role: "operator" },
        tokenId: "t-1",
      });
    },
  );

  it.each([
    ["the highest of several groups", ["everybody", "sre", "on-call"], "admin"],
    ["one name alone", "everybody", "viewer"],
    ["a group that is nobody's", ["on-call", "chess"], "operator"],
  ])("has the role of %s", async (_, groups, role) => {
    const { provider, verify } = await open();
    expect(await verify(await provider.sign({ groups }))).toMatchObject({ caller: { role } });
  });

  it.each([
    ["no group of ours", ["chess"]],
    ["no groups", []],
    ["groups of another form", { "on-call": true }],
    ["a group called like a method", ["toString", "constructor", "__proto__"]],
    ["numbers", [1, 2]],
  ])("with %s has no role", async (_, groups) => {
    const { provider, verify } = await open();
    const token = await provider.sign({ groups: groups as string[] });
    expect(await verify(token)).toEqual({ ok: false, reason: "no-role" });
  });

  it.each([
    ["for somebody else", { aud: "another-api" }, "invalid"],
    ["of somebody else", { iss: "https://evil.example" }, "invalid"],
    ["without an end", { exp: undefined }, "invalid"],
    ["that has ended", { exp: 1 }, "expired"],
    ["that has not begun", { nbf: 4_000_000_000 }, "not-yet-valid"],
    ["without a subject", { sub: undefined }, "invalid"],
    ["with a subject that a log cannot hold", { sub: "a\nb" }, "invalid"],
  ])("%s is refused", async (_, claims, reason) => {
    const { provider, verify } = await open();
    expect(await verify(await provider.sign(claims))).toEqual({ ok: false, reason });
  });

  it("is believed whichever way the issuer writes its name", async () => {
    const { provider, verify, verifier } = await open();
    const token = await provider.sign({ iss: `${SETTINGS.issuer}/` });
    expect(verifier.isMeant(token)).toBe(true);
    expect(await verify(token)).toMatchObject({ ok: true });
  });

  it("is told from ours by its issuer alone, and nonsense is nobody's", async () => {
    const { provider, verifier } = await open();
    const isMeant = (token: string) => verifier.isMeant(token);
    expect(isMeant(await provider.sign())).toBe(true);
    expect(isMeant(await provider.sign({ iss: "algobrain" }))).toBe(false);
    for (const text of ["", "x", "a.b.c", ".".repeat(9)]) expect(isMeant(text)).toBe(false);
  });
});

describe("a forged one", () => {
  it("without a signature, by another key, or with a public key as a secret is refused", async () => {
    const { provider, verify } = await open();
    const other = await open();
    const unsigned = new UnsecuredJWT({ groups: ["sre"] })
      .setIssuer(SETTINGS.issuer)
      .setAudience(SETTINGS.audience)
      .setSubject("u-1")
      .setExpirationTime(4_000_000_000)
      .encode();
    const [, claims] = (await provider.sign()).split(".");
    const hmac = `${Buffer.from('{"alg":"HS256","kid":"key-0"}').toString("base64url")}.${claims}.AAAA`;
    for (const token of [unsigned, await other.provider.sign(), hmac])
      expect(await verify(token)).toEqual({ ok: false, reason: "invalid" });
  });
});

describe("the issuer's keys", () => {
  it("are asked for once, and again for a key that is new, but not for every unknown one", async () => {
    const { provider, verify, pass } = await open();
    for (const _ of [1, 2, 3])
      expect(await verify(await provider.sign())).toMatchObject({ ok: true });
    expect(provider.asked).toBe(1);
    for (const kid of ["a", "b", "c"])
      expect(await verify(await provider.sign({}, { kid }))).toMatchObject({ reason: "invalid" });
    expect(provider.asked).toBe(1);
    await provider.rotate();
    pass(30_000);
    expect(await verify(await provider.sign())).toMatchObject({ ok: true });
    expect(provider.asked).toBe(2);
  });

  it("are believed for an hour more while the issuer is away, but not what may be newer", async () => {
    const { provider, verify, pass } = await open();
    expect(await verify(await provider.sign())).toMatchObject({ ok: true });
    provider.answer = () => new Response("x", { status: 500 });
    pass(11 * MINUTE_MS);
    expect(await verify(await provider.sign())).toMatchObject({ ok: true });
    await expect(verify(await provider.sign({}, { kid: "new" }))).rejects.toMatchObject({
      code: "issuer-unavailable",
    });
    pass(60 * MINUTE_MS);
    await expect(verify(await provider.sign())).rejects.toMatchObject({
      code: "issuer-unavailable",
    });
  });

  const away: readonly (readonly [string, () => Response])[] = [
    [
      "does not answer",
      () => {
        throw new TypeError("fetch failed");
      },
    ],
    ["answers 500", () => new Response("x", { status: 500 })],
    ["sends us elsewhere", () => new Response(null, { status: 302, headers: { location: "/" } })],
    ["answers a page", () => new Response("<html>")],
    ["answers JSON of another kind", () => Response.json({ keys: "none" })],
    ["answers without end", () => new Response("x".repeat(300 * 1024))],
  ];

  it.each(away)(
    "of an issuer that %s say nothing about a token: 503, not 401",
    async (_, answer) => {
      const { provider, verify } = await open();
      provider.answer = answer;
      await expect(verify(await provider.sign())).rejects.toMatchObject({
        code: "issuer-unavailable",
        headers: { "retry-after": "5" },
      });
    },
  );

  it("are fetched over HTTP, and a redirect is not followed", async () => {
    const { provider } = await open();
    const asked: string[] = [];
    const server = createServer(async (request, response) => {
      asked.push(request.url ?? "");
      if (request.url === "/moved") {
        response.writeHead(302, { location: "/keys" }).end();
        return;
      }
      response.end(await (await provider.fetchKeys("", {})).text());
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const clock = { now: () => new Date(), sleep: async () => {} };
    const verifyAt = async (path: string) => {
      const settings = { ...SETTINGS, jwksUrl: `http://127.0.0.1:${port}${path}` };
      const token = await provider.sign();
      return createOidcVerifier(settings, clock).verify(token, GROUPS, new Date());
    };
    expect(await verifyAt("/keys")).toMatchObject({ ok: true });
    await expect(verifyAt("/moved")).rejects.toMatchObject({ code: "issuer-unavailable" });
    server.close();
    expect(asked).toEqual(["/keys", "/moved"]);
  });

  it("are not asked for again at once when that failed", async () => {
    const { provider, verify, pass } = await open();
    const token = await provider.sign();
    provider.answer = () => new Response("x", { status: 500 });
    for (const _ of [1, 2, 3]) await expect(verify(token)).rejects.toThrow();
    expect(provider.asked).toBe(1);
    provider.answer = null;
    pass(5_000);
    expect(await verify(token)).toMatchObject({ ok: true });
  });
});
