/** A token that is tried and revoked, over a socket: whoever answers as GitHub does is asked as GitHub wants it. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTokenCare } from "../../src/adapter/github-token.js";
import {
  type Loopback,
  type LoopbackRequest,
  startLoopback,
} from "../../src/adapter/stand-in/loopback.js";
import { SecretText } from "../../src/base/secret-text.js";
import { faultOf, never } from "./delivery.js";

const TOKEN = new SecretText("ghp_a-token-marker-0123456789");
const ENDS = "2026-12-01 10:00:00 UTC";

let server: Loopback;
let asked: LoopbackRequest[];
/** The next answer. */
let answer: { status: number; headers?: Record<string, string>; body: unknown };

beforeEach(async () => {
  asked = [];
  answer = { status: 200, body: {} };
  server = await startLoopback((request) => {
    asked.push(request);
    return answer;
  });
});
afterEach(() => server.close());

const care = (repository: string | null = "acme/shop") =>
  createTokenCare({ apiUrl: `${server.url}/`, repository });

describe("trying a token", () => {
  test("asks for the repository that it has to see, and answers until when it may be used", async () => {
    answer = { status: 200, headers: { "github-authentication-token-expiration": ENDS }, body: {} };
    const { endsAt } = await care().testGitHubToken(TOKEN, never());
    expect(endsAt?.toISOString()).toBe("2026-12-01T10:00:00.000Z");
    expect(asked[0]).toMatchObject({ method: "GET", path: "/repos/acme/shop" });
    expect(asked[0]?.headers.authorization).toBe(`Bearer ${TOKEN.reveal()}`);
  });

  test("without a repository it is enough that GitHub knows it; most have no end", async () => {
    expect(await care(null).testGitHubToken(TOKEN, never())).toEqual({ endsAt: null });
    expect(asked[0]?.path).toBe("/rate_limit");
  });

  test.each([401, 403, 404])(
    "%i is a refusal of the token, and does not quote it",
    async (status) => {
      answer = { status, body: { message: `Bad credentials ${TOKEN.reveal()}` } };
      const thrown = await faultOf(care().testGitHubToken(TOKEN, never()));
      expect(thrown).toMatchObject({ kind: "refused", code: "GITHUB_TOKEN_REFUSED" });
      expect(JSON.stringify([thrown.message, thrown.hint, thrown.details])).not.toContain("marker");
    },
  );

  test("a limit and a failure say nothing of the token", async () => {
    answer = { status: 429, headers: { "retry-after": "7" }, body: {} };
    expect(await faultOf(care().testGitHubToken(TOKEN, never()))).toMatchObject({
      ...{ kind: "waiting", code: "GITHUB_RATE_LIMITED", retryAfterMs: 7_000 },
    });
    answer = { status: 502, body: {} };
    expect(await faultOf(care().testGitHubToken(TOKEN, never()))).toMatchObject({
      kind: "transient",
    });
  });
});

describe("revoking a token", () => {
  test("is asked for without credentials, as GitHub wants it (rest/credentials/revoke)", async () => {
    answer = { status: 202, body: {} };
    await care().revokeGitHubToken(TOKEN, never());
    expect(asked[0]).toMatchObject({ method: "POST", path: "/credentials/revoke" });
    expect(asked[0]?.headers.authorization).toBeUndefined();
    expect(JSON.parse(asked[0]?.body ?? "")).toEqual({ credentials: [TOKEN.reveal()] });
  });

  test.each([401, 404, 422])("a GitHub that answers %i has no such way", async (status) => {
    answer = { status, body: {} };
    expect(await faultOf(care().revokeGitHubToken(TOKEN, never()))).toMatchObject({
      ...{ kind: "refused", code: "GITHUB_TOKEN_NOT_REVOCABLE" },
      hint: expect.stringContaining("revoke it by hand"),
    });
  });

  test("what is no token of a person is not even sent", async () => {
    const app = new SecretText("ghs_of-an-app");
    expect((await faultOf(care().revokeGitHubToken(app, never()))).code).toBe(
      "GITHUB_TOKEN_NOT_REVOCABLE",
    );
    expect(asked).toEqual([]);
  });
});
